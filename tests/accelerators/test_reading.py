"""What is read of a program: how often its loops turn, its products, its bytes."""

import jax
import jax.numpy as jnp

from benchmarks.ahead.flops import count_flops
from benchmarks.ahead.hlo import read

TEXT = """HloModule a, entry_computation_layout={(f32[8,4]{1,0})->f32[8,4]{1,0}}

%taken (p.0: f32[8,4], p.1: s32[]) -> f32[1,4] {
  %p.0 = f32[8,4]{1,0} parameter(0)
  %p.1 = s32[] parameter(1)
  ROOT %slice = f32[1,4]{1,0} dynamic-slice(%p.0, %p.1, %p.1), dynamic_slice_sizes={1,4}
}

%body (state: (s32[], f32[8,4])) -> (s32[], f32[8,4]) {
  %state = (s32[], f32[8,4]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %x = f32[8,4]{1,0} get-tuple-element(%state), index=1
  %row = f32[1,4]{1,0} fusion(%x, %i), kind=kLoop, calls=%taken
  %sum = f32[8,4]{1,0} all-reduce(%x), replica_groups={}, to_apply=%add
  ROOT %next = (s32[], f32[8,4]{1,0}) tuple(%i, %sum)
}

%condition (state: (s32[], f32[8,4])) -> pred[] {
  %state = (s32[], f32[8,4]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %most = s32[] constant(7)
  ROOT %less = pred[] compare(%i, %most), direction=LT
}

ENTRY %main (x: f32[8,4]) -> f32[8,4] {
  %x = f32[8,4]{1,0} parameter(0)
  %zero = s32[] constant(0)
  %start = (s32[], f32[8,4]{1,0}) tuple(%zero, %x)
  %loop = (s32[], f32[8,4]{1,0}) while(%start), condition=%condition, body=%body
  ROOT %result = f32[8,4]{1,0} get-tuple-element(%loop), index=1
}
"""


def test_what_is_in_a_loop_counts_as_often_as_it_turns():
    found = read(TEXT)
    assert not found.unknown
    assert [(c.op, c.num_bytes, c.times, c.loops) for c in found.collectives] == [
        ("all-reduce", 128, 7, (7,))
    ]
    assert found.kernels == 2 * 7
    # A row is read and written, with its number; a sum reads and writes all.
    assert found.num_bytes == 7 * (16 + 4 + 16 + 2 * 128)


OVERLAPPED = """HloModule b

%first (x: f32[1,4]) -> f32[8,4] {
  %x = f32[1,4] parameter(0)
  ROOT %g = f32[8,4] all-gather(%x), frontend_attributes={chain_id="0"}
}

%second (y: f32[1,4]) -> f32[8,4] {
  %y = f32[1,4] parameter(0)
  ROOT %h = f32[8,4] all-gather(%y), frontend_attributes={chain_id="0"}
}

ENTRY %main (z: f32[1,4]) -> f32[8,4] {
  %z = f32[1,4] parameter(0)
  %a = f32[8,4] fusion(%z), kind=kCustom, calls=%first
  ROOT %b = f32[8,4] fusion(%z), kind=kCustom, calls=%second
}
"""


def test_what_a_tpu_sends_beside_other_work_counts_once():
    assert [(c.op, c.times) for c in read(OVERLAPPED).collectives] == [("all-gather", 1)]


def test_products_are_counted_by_precision_and_for_a_platform():
    def run(x):
        exact = lambda x: jnp.dot(x, x, precision="highest")
        x = jax.lax.platform_dependent(x, cpu=lambda x: x, default=exact)
        return jax.lax.scan(lambda x, _: (x @ x, None), x, length=3)[0]

    jaxpr = jax.jit(run).trace(jnp.ones((4, 4))).jaxpr.jaxpr
    assert count_flops(jaxpr, "cpu") == {"default": 3 * 128}
    assert count_flops(jaxpr, "tpu") == {"default": 3 * 128, "exact": 128}
