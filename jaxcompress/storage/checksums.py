"""CRC-32 of bytes whose parts lie in different places."""

_POLYNOMIAL = 0xEDB88320  # that of zlib, its lowest power first
_ONE, _X = 1 << 31, 1 << 30  # x^0 and x^1 in that order


def join_crc32(first: int, second: int, num_bytes: int) -> int:
    """Computes the CRC-32 of two runs of bytes, one after the other.

    That of the first is shifted by the bits of the second: multiplied by x^(8 n), modulo the
    polynomial.

    >>> import zlib
    >>> join_crc32(zlib.crc32(b"ab"), zlib.crc32(b"cde"), 3) == zlib.crc32(b"abcde")
    True

    Args:
        first: CRC-32 of the first run.
        second: CRC-32 of the second one.
        num_bytes: n, the length of the second one.
    """
    power, shift, left = _ONE, _X, 8 * num_bytes
    while left:
        if left & 1:
            power = _times(power, shift)
        shift, left = _times(shift, shift), left >> 1
    return _times(power, first) ^ second


def _times(a: int, b: int) -> int:
    """Multiplies two polynomials over {0, 1}, modulo that of CRC-32."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product
