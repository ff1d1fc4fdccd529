"""Reads the text of compiled programs: collectives, kernels and estimated cycles, by how often.

What is in the body of a loop counts as often as the loop turns.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_COLLECTIVE = re.compile(
    "(all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(-start)?$"
)
_NO_KERNEL = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while", "conditional",
    "call", "partition-id", "replica-id", "after-all", "add-dependency", "opt-barrier",
}  # fmt: skip
_TAKES = {"gather", "dynamic-slice"}
_PUTS = {"scatter": -1, "dynamic-update-slice": 1}  # and which operand is what is put
_BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "f16": 2, "bf16": 2, "s64": 8, "u64": 8,
          "f64": 8}  # fmt: skip
_HEADER = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{\s*$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) ([a-z][\w\-]*)\((.*)$")


class Instruction(NamedTuple):
    """An instruction that is run.

    Attributes:
        name: its own.
        shape: type and dimensions of its result, as HLO writes them.
        op: what it does.
        rest: its operands and attributes.
        times: how often it is run in a call of the program.
        loops: how often the body of each loop around it is run, from the outermost on.
    """

    name: str
    shape: str
    op: str
    rest: str
    times: int = 1
    loops: tuple[int, ...] = ()

    @property
    def num_bytes(self) -> int:
        """The bytes of its result that are in the device's memory."""
        return _num_bytes(self.shape)

    @property
    def operands(self) -> list[str]:
        """The names of what it takes."""
        return re.findall(r"%([\w.\-]+)", self.rest.split(")")[0])

    @property
    def cycles(self) -> int:
        """What libtpu estimates for one run; 0 where it gives no estimate, or on other devices."""
        found = re.search(r'"estimated_cycles":"(\d+)"', self.rest)
        return int(found[1]) if found else 0


class Report(NamedTuple):
    """What the text of a compiled program says.

    Attributes:
        collectives: instructions between devices.
        kernels: how many kernels a GPU launches in a call.
        num_bytes: what a call reads from memory and writes to it. Of what rows are taken from, the
            rows count.
        cycles: what libtpu estimates for a call. Fusions with a gather, a scatter or a sort have no
            estimate, so that this is a lower bound.
        unknown: loops whose number of turns is not known, which count once.
    """

    collectives: list[Instruction]
    kernels: int
    num_bytes: int
    cycles: int
    unknown: list[str]


def read(text: str) -> Report:
    """Reads the text of a compiled program, of `jax.stages.Compiled.as_text`."""
    computations, entry = _parse(text)
    unknown: list[str] = []
    run = list(_walk(computations, entry, 1, (), unknown))
    kernels = [i for i in run if _is_kernel(i)]
    return Report(
        collectives=[i for i in run if _COLLECTIVE.match(i.op)] + _overlapped(computations, run),
        kernels=sum(i.times for i in kernels),
        num_bytes=sum(i.times * n for i, n in _with_traffic(computations, kernels)),
        cycles=sum(i.cycles * i.times for i in run),
        unknown=unknown,
    )


def _overlapped(
    computations: dict[str, list[Instruction]], run: list[Instruction]
) -> list[Instruction]:
    """Finds what a TPU sends beside other work: it is in several fusions, of which one counts."""
    found: dict[str, Instruction] = {}
    for fusion in run:
        if fusion.op == "fusion":
            for inner in computations[_called(fusion)]:
                if _COLLECTIVE.match(inner.op):
                    chain = re.search(r'chain_id="(\d+)"', inner.rest)
                    counted = inner._replace(times=fusion.times, loops=fusion.loops)
                    found.setdefault(chain[1] if chain else inner.name, counted)
    return list(found.values())


def _called(fusion: Instruction) -> str:
    """The name of the computation of a fusion."""
    return re.search(r"calls=%?([\w.\-]+)", fusion.rest)[1]


def _with_traffic(
    computations: dict[str, list[Instruction]], run: list[Instruction]
) -> Iterator[tuple[Instruction, int]]:
    """Gives each instruction with the bytes that one run of it reads and writes."""
    sizes = {i.name: i.num_bytes for body in computations.values() for i in body}

    def reads(instruction: Instruction, place: int) -> int:
        """The bytes of an operand that are read: of a table, the rows that are taken or put."""
        whole = sizes.get(instruction.operands[place], 0)
        if instruction.op in _TAKES and place == 0:
            return min(whole, instruction.num_bytes)
        if instruction.op in _PUTS and place == 0:
            return min(whole, sizes.get(instruction.operands[_PUTS[instruction.op]], 0))
        if instruction.op != "fusion":
            return whole
        body = computations[_called(instruction)]
        inner = (i.name for i in body if i.op == "parameter" and i.rest.startswith(f"{place})"))
        return min(whole, sum(reads(user, at) for user, at in _users(body, next(inner, ""))))

    for instruction in run:
        read_bytes = [reads(instruction, place) for place in range(len(instruction.operands))]
        written = instruction.num_bytes
        for place, number in enumerate(read_bytes):  # what is changed in its place
            if sizes.get(instruction.operands[place]) == written > number:
                written = number
        yield instruction, sum(read_bytes) + written


def _users(body: list[Instruction], name: str) -> Iterator[tuple[Instruction, int]]:
    """Gives what takes a value, also in another shape, and as which operand."""
    for instruction in body:
        for place, operand in enumerate(instruction.operands):
            if operand == name and instruction.op in ("bitcast", "reshape"):
                yield from _users(body, instruction.name)
            elif operand == name:
                yield instruction, place


def _is_kernel(instruction: Instruction) -> bool:
    return instruction.op not in _NO_KERNEL and not instruction.op.endswith(("-done", "-update"))


def _parse(text: str) -> tuple[dict[str, list[Instruction]], str]:
    """Splits a text into computations by name; also the name of the one that is run."""
    computations: dict[str, list[Instruction]] = {}
    entry, current = "", []
    for line in text.splitlines():
        if not line.startswith(" "):
            if (found := _HEADER.match(line)) and not line.startswith("HloModule"):
                current = computations[found[2]] = []
                entry = found[2] if found[1] else entry
        elif found := _INSTRUCTION.match(line):
            current.append(Instruction(*found.groups()))
    return computations, entry


def _walk(
    computations: dict, name: str, times: int, loops: tuple, unknown: list[str]
) -> Iterator[Instruction]:
    for instruction in computations.get(name, ()):
        yield instruction._replace(times=times, loops=loops)
        if instruction.op == "while":
            turns = _turns(computations, name, instruction)
            if turns is None:
                unknown.append(instruction.name)
            body = re.search(r"body=%?([\w.\-]+)", instruction.rest)[1]
            turns = turns or 1
            yield from _walk(computations, body, times * turns, (*loops, turns), unknown)
        elif instruction.op in ("conditional", "call", "async-start"):
            attributes = re.findall(
                r"(?:to_apply|calls|\w+_computations?)=(\{[^}]*\}|%?[\w.\-]+)", instruction.rest
            )
            for called in re.findall(r"%?([\w.\-]+)", " ".join(attributes)):
                yield from _walk(computations, called, times, loops, unknown)


def _turns(computations: dict, name: str, loop: Instruction) -> int | None:
    """How often a loop turns: as the compiler notes, or by the constant that its counter meets."""
    if noted := re.search(r'"known_trip_count":\{"n":"(\d+)"', loop.rest):
        return int(noted[1])
    condition = re.search(r"condition=%?([\w.\-]+)", loop.rest)[1]
    by_name = {i.name: i for i in computations[condition]}
    outside = {i.name: i for i in computations[name]}
    for instruction in computations[condition]:
        if instruction.op not in ("compare", "fusion"):
            continue
        for operand in re.findall(r"%([\w.\-]+)", instruction.rest.split(")")[0])[::-1]:
            source = by_name.get(operand)
            if source is not None and source.op == "get-tuple-element":
                place = int(re.search(r"index=(\d+)", source.rest)[1])
                given = outside.get(re.search(r"%([\w.\-]+)", loop.rest)[1])
                operands = re.findall(r"%([\w.\-]+)", given.rest) if given else []
                source = outside.get(operands[place]) if place < len(operands) else None
                while source is not None and source.op in ("copy", "bitcast"):
                    source = outside.get(re.search(r"%([\w.\-]+)", source.rest)[1])
            if source is not None and source.op == "constant":
                return int(re.match(r"(-?\d+)", source.rest)[1])
    return None


def _num_bytes(shape: str) -> int:
    total = 0
    for kind, dims, layout in re.findall(r"\b([a-z]+\d*)\[([\d,]*)\](\{[^}]*\})?", shape):
        if "S(1)" in layout:  # on the chip
            continue
        count = 1
        for size in filter(None, dims.split(",")):
            count *= int(size)
        total += count * _BYTES.get(kind, 4)
    return total
