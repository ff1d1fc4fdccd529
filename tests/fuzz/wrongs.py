"""What is done to the bytes of a good file."""

from collections.abc import Callable, Mapping

import numpy as np


def _flip(rng: np.random.Generator, data: bytes) -> bytes:
    found = bytearray(data)
    for place in rng.integers(0, len(data), rng.integers(1, 9)):
        found[place] ^= 1 << rng.integers(0, 8)
    return bytes(found)


def _flip_head(rng: np.random.Generator, data: bytes) -> bytes:
    return _flip(rng, data[:64]) + data[64:]


def _cut(rng: np.random.Generator, data: bytes) -> bytes:
    return data[: rng.integers(0, len(data))]


def _cut_middle(rng: np.random.Generator, data: bytes) -> bytes:
    start, end = sorted(rng.integers(0, len(data), 2))
    return data[:start] + data[end:]


def _double(rng: np.random.Generator, data: bytes) -> bytes:
    start, end = sorted(rng.integers(0, len(data), 2))
    return data[:end] + data[start:]


def _insert(rng: np.random.Generator, data: bytes) -> bytes:
    place = rng.integers(0, len(data))
    junk = rng.integers(0, 256, rng.integers(1, 40), dtype=np.uint8).tobytes()
    return data[:place] + junk + data[place:]


def _insert_mark(rng: np.random.Generator, data: bytes) -> bytes:
    place = rng.integers(0, len(data))
    marks = [b'"', b"\r", b"\n", b"\n\n", b"\x00", b"\t", b",", b"\xff", b"\xc2\xa0", b"nan", b";"]
    return data[:place] + marks[rng.integers(len(marks))] + data[place:]


def _encode_anew(rng: np.random.Generator, data: bytes) -> bytes:
    text = data.decode("utf-8", "replace")
    name = ("utf-16", "utf-8-sig", "utf-32", "latin-1", "cp1252")[rng.integers(5)]
    return text.encode(name, "replace")


def _end_lines_anew(rng: np.random.Generator, data: bytes) -> bytes:
    return data.replace(b"\n", (b"\r\n", b"\r", b"\n\n", b"\x0b", b"\n\r")[rng.integers(5)])


def _move_columns(rng: np.random.Generator, data: bytes) -> bytes:
    mark = max((b"\t", b"::", b",", b" "), key=data.count)
    lines = data.split(b"\n")
    some = range(len(lines)) if rng.integers(2) else [rng.integers(len(lines))]
    for i in some:
        parts = lines[i].split(mark)
        lines[i] = mark.join(parts[-1:] + parts[:-1])
    return b"\n".join(lines)


def _drop_columns(rng: np.random.Generator, data: bytes) -> bytes:
    mark = max((b"\t", b"::", b",", b" "), key=data.count)
    lines = data.split(b"\n")
    i = rng.integers(len(lines))
    lines[i] = mark.join(lines[i].split(mark)[:-1])
    return b"\n".join(lines)


def _huge_number(rng: np.random.Generator, data: bytes) -> bytes:
    numbers = (b"1e300", b"-1e39", b"99999999999999999999", b"inf", b"nan", b"0x10", b"1_0", b"-1")
    digits = [i for i, byte in enumerate(data) if byte in b"0123456789"]
    if not digits:
        return data + numbers[0]
    place = digits[rng.integers(len(digits))]
    return data[:place] + numbers[rng.integers(len(numbers))] + data[place + 1 :]


def _empty(rng: np.random.Generator, data: bytes) -> bytes:
    return (b"", b"\n", b" ", b"\x00" * 100, b"{}", b"[]")[rng.integers(6)]


def _twice(rng: np.random.Generator, data: bytes) -> bytes:
    return data + data


WRONGS: Mapping[str, Callable[[np.random.Generator, bytes], bytes]] = {
    "bytes flipped": _flip,
    "first bytes flipped": _flip_head,
    "cut": _cut,
    "cut out": _cut_middle,
    "doubled": _double,
    "junk inserted": _insert,
    "a mark inserted": _insert_mark,
    "encoded anew": _encode_anew,
    "lines ended anew": _end_lines_anew,
    "columns moved": _move_columns,
    "a column dropped": _drop_columns,
    "a number made huge": _huge_number,
    "empty": _empty,
    "written twice": _twice,
}
