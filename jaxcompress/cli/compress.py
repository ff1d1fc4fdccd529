"""`jaxcompress compress FILE`: codes of a table of vectors, in one file."""

import argparse
import dataclasses
from typing import Any

import numpy as np

from jaxcompress.api import compress
from jaxcompress.cli.output import add_output, output_path
from jaxcompress.codes.codebook_types import CODEBOOK_TYPES
from jaxcompress.data.vectors.files import Vectors
from jaxcompress.dccl.config import EFFORTS, Config, DataConfig
from jaxcompress.dccl.task import row_statistics
from jaxcompress.loading import read_rows
from jaxcompress.notes import note

_CODEWORDS = 16  # K, of 4 bits: two codes a byte
_SETTINGS = ("effort", "weights", "codebook_type", "export_encoder", "seed")  # of `compress`


def main(argv: list[str], prog: str) -> None:
    """Compresses a file to a file, and says what became of it."""
    flags = _parser(prog).parse_args(argv)
    out = output_path(flags, ".codes.safetensors")
    vectors = _read(flags.file, flags.tensor)
    print(f"{_shape(vectors.rows[: flags.max_rows])} vectors of {vectors.source}", flush=True)
    codes = compress(
        vectors,
        **_size(flags),
        config=Config(data=DataConfig(max_rows=flags.max_rows)),
        metric=None if flags.metric is None else _read(flags.metric).rows,
        objective="cosine" if flags.cosine else "l2",
        **{name: getattr(flags, name) for name in _SETTINGS},
    )
    codes = dataclasses.replace(codes, metadata={**codes.metadata, "source": vectors.source})
    codes.save(out, export_encoder=flags.export_encoder)
    print(f"{codes}, {codes.compression_ratio():.1f} times smaller")
    if not flags.cosine:  # else it is of rows of unit length
        error = float(codes.metadata["mean_squared_l2"])
        spread = _spread(vectors.rows[: flags.max_rows])
        print(f"mean squared L2 {error:.5g}, {error / spread:.1%} of the variance")
    print(f"wrote {out}, {out.stat().st_size:,} bytes")


def _read(path: str, tensor: str | None = None) -> Vectors:
    """Reads vectors, or decodes a compressed table; tells the notes."""
    vectors = read_rows(path, tensor)
    for line in vectors.notes:
        note(line)
    return vectors


def _shape(rows: np.ndarray) -> str:
    return f"{len(rows):,} x {rows.shape[1]}"


def _spread(rows: np.ndarray) -> float:
    """The mean squared distance of rows to their mean."""
    return row_statistics(rows, np.arange(len(rows))).scale ** 2 * rows.shape[1]


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Makes codes of a table of vectors: word2vec or GloVe text, .npy, .npz, "
        ".safetensors, fastText .bin, a model's folder; compressed ones too.",
    )
    parser.add_argument("file", metavar="FILE", help='the vectors; "stdlib" needs no download')
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--mb", type=float, help="10^6 bytes of codes and codebooks together")
    size.add_argument(
        "--bytes-per-row",
        type=int,
        default=16,
        metavar="N",
        help="bytes of the codes of a row, codebooks not counted (default: 16)",
    )
    parser.add_argument("--effort", choices=EFFORTS, help="how long to search for them")
    parser.add_argument("--weights", metavar="FILE", help='how much each row counts; or "zipf"')
    parser.add_argument("--metric", metavar="FILE", help="matrix [D, D], or queries [Q, D]")
    parser.add_argument("--cosine", action="store_true", help="keep the directions of rows alone")
    parser.add_argument("--codebook-type", choices=CODEBOOK_TYPES, help="default: by the error")
    parser.add_argument("--export-encoder", action="store_true", help="keep the encoder too")
    parser.add_argument("--tensor", metavar="NAME", help="the matrix, if the file has several")
    parser.add_argument("--max-rows", type=int, metavar="N", help="the first rows alone")
    parser.add_argument("--seed", type=int, default=0)
    add_output(parser, "NAME.codes.safetensors")
    return parser


def _size(flags: argparse.Namespace) -> dict[str, Any]:
    if flags.mb is not None:
        return {"target_mb": flags.mb}
    return {"num_codebooks": 2 * flags.bytes_per_row, "num_codewords": _CODEWORDS}
