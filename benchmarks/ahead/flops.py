"""Counts the operations of matrix products in a traced program, by precision."""

import math
from collections import Counter
from typing import Any

import jax
import numpy as np

EXACT, DEFAULT = "exact", "default"


def count_flops(jaxpr: Any, platform: str, times: int = 1) -> Counter:
    """Counts operations of products: of those that are exact to float32, and of the others.

    Args:
        jaxpr: of a traced program.
        platform: whose forms of it count, where there are several.
        times: how often it is run.
    """
    total: Counter = Counter()
    for equation in jaxpr.eqns:
        params = equation.params
        if equation.primitive.name == "dot_general":
            total[_precision(params["precision"])] += times * _product_flops(equation)
            continue
        turns = times * params.get("length", 1) if equation.primitive.name == "scan" else times
        if equation.primitive.name == "cond":
            branches = [_taken(params, platform)]
            if branches[0] is None:
                branches = params["branches"]
        else:
            branches = [x for x in params.values() if hasattr(x, "eqns") or hasattr(x, "jaxpr")]
        for branch in branches:
            total += count_flops(getattr(branch, "jaxpr", branch), platform, turns)
    return total


def _taken(params: dict, platform: str) -> Any:
    """The branch of a platform; None if branches are not told apart by platforms."""
    groups = params.get("branches_platforms")
    if groups is None:
        return None
    for group, branch in zip(groups, params["branches"], strict=True):
        if group is None or platform in group:
            return branch
    return None


def _precision(precision: Any) -> str:
    exact = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGH)
    values = precision if isinstance(precision, tuple) else (precision,)
    return EXACT if any(value in exact for value in values) else DEFAULT


def _product_flops(equation: Any) -> int:
    left, right = (v.aval.shape for v in equation.invars)
    (over, _), (_, batch_right) = equation.params["dimension_numbers"]
    contracted = math.prod(left[i] for i in over)
    rest = math.prod(right) // max(1, contracted * math.prod(right[i] for i in batch_right))
    return 2 * int(np.prod(left, dtype=np.int64)) * rest
