"""A part of a stream that is kept while it is looked at, so that binary records can be cut out."""

from typing import BinaryIO

import numpy as np

_CHUNK = 1 << 20  # bytes that are read at a time


class Window:
    """A part of a stream: the bytes that were read, and where in them the next record starts.

    Attributes:
        bytes: what was read; bytes before the start are forgotten when more are read.
        start: an index into `bytes`; whoever takes bytes moves it on.
    """

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._num_forgotten = 0
        self.bytes = b""
        self.start = 0

    @property
    def position(self) -> int:
        """Where in the stream the next record starts, in bytes."""
        return self._num_forgotten + self.start

    def reserve(self, size: int) -> None:
        """Reads on until at least `size` bytes follow the start, or fewer at the stream's end."""
        if len(self.bytes) - self.start < size:
            more = self._stream.read(max(_CHUNK, size))
            self._num_forgotten += self.start
            self.bytes, self.start = self.bytes[self.start :] + more, 0

    def take(self, size: int) -> bytes:
        """Takes the next `size` bytes, or fewer at the stream's end."""
        self.reserve(size)
        taken = self.bytes[self.start : self.start + size]
        self.start += len(taken)
        return taken

    def take_array(self, shape: tuple[int, int]) -> np.ndarray | None:
        """Takes a matrix of float32; None if the stream ends before."""
        array = np.empty(shape, "<f4")
        room = memoryview(array).cast("B")
        start = self.take(min(len(self.bytes) - self.start, len(room)))
        room[: len(start)] = start
        filled = len(start)
        while filled < len(room) and (size := self._stream.readinto(room[filled:])):
            self._num_forgotten += size
            filled += size
        return array if filled == len(room) else None
