"""From how many rows, and below how many bytes a row, codes have a smaller error than integers.

Command:  python benchmarks/codes_or_integers.py --vectors FILE [--rows 1000] [--bits 2,8] [--fit]

Of a random part of the table, integers of each number of bits are made, in groups of 64 or 32,
whichever has the smaller error. The table that is printed has the error of codes in as many bytes,
codebooks counted, over that of the integers: as `compress` expects it when it chooses a size or,
with --fit, as it is once the codes are made. Below 1 codes are better.
"""

import data
import numpy as np

import jaxcompress
from jaxcompress.codes.chooser import choose_size
from jaxcompress.codes.integers import integer_bytes, quantize
from jaxcompress.engine.page.markdown import markdown_table
from jaxcompress.errors import InputError

GROUPS = (64, 32)  # numbers that share a scale


def mean_squared_l2(rows, decoded):
    return float(np.square(rows.astype(np.float64) - decoded).sum(axis=1).mean())


def ratio(rows, bits, fit):
    """Gives the bytes of integers, and the error of codes of as many over theirs."""
    group = min(GROUPS, key=lambda g: mean_squared_l2(rows, quantize(rows, bits, g).decoded))
    theirs = mean_squared_l2(rows, quantize(rows, bits, group).decoded)
    num_bytes = integer_bytes(*rows.shape, bits, group)
    try:
        if fit:
            codes = jaxcompress.compress(rows, target_mb=num_bytes / 1e6)
            ours = mean_squared_l2(rows, codes.decode())
        else:
            ours = choose_size(rows, num_bytes / 1e6).error
    except InputError:  # no codes are as small
        return num_bytes, None
    return num_bytes, ours / theirs


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--rows", default="1000,2500,5000,10000,20000,50000")
    parser.add_argument("--bits", default="2,3,4,5,6,8")
    parser.add_argument("--fit", action="store_true", help="make the codes; takes minutes each")
    flags = parser.parse_args()
    table = np.asarray(data.read(flags.vectors), np.float32)
    order = np.random.default_rng(0).permutation(len(table))
    bits = [int(text) for text in flags.bits.split(",")]
    lines, row_bytes = [], {}
    for num_rows in (int(text) for text in flags.rows.split(",")):
        if num_rows > len(table):
            continue
        rows = table[order[:num_rows]]
        cells = []
        for b in bits:
            num_bytes, over = ratio(rows, b, flags.fit)
            row_bytes[b] = num_bytes / num_rows
            cells.append("" if over is None else f"{over:.2f}")
        lines.append([f"{num_rows:,}", *cells])
    head = ["rows", *(f"int{b}, {row_bytes[b]:.0f} bytes" for b in bits)]
    print("\n".join(markdown_table(head, lines)))


if __name__ == "__main__":
    main()
