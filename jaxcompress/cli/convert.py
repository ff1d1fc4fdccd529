"""`jaxcompress convert FILE --to FORMAT`: rows of a compressed table for other programs."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxcompress.cli.output import add_output, output_path
from jaxcompress.codes.artefact import Codes
from jaxcompress.compressed.table import CompressedTable
from jaxcompress.errors import InputError
from jaxcompress.loading import load
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.names import write_names
from jaxcompress.storage.tensors import save_tensors

_TENSOR = "embedding.weight"


def main(argv: list[str], prog: str) -> None:
    """Writes a compressed table in another form."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Writes a compressed table in another form: word2vec text; npy, with the words "
        "in NAME.words.txt beside it; safetensors, one decoded tensor; faiss, an index; codes, the "
        "file of codes itself.",
    )
    parser.add_argument("file", metavar="FILE", help="codes, anchors, or a run's workdir")
    parser.add_argument("--to", required=True, choices=_FORMATS, help="the form")
    add_output(parser, "named after FILE; -: stdout")
    flags = parser.parse_args(argv)
    ending, write = _FORMATS[flags.to]
    table = load(flags.file)
    if flags.out == "-":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / flags.to
            write(table, path)
            with path.open("rb") as stream:
                shutil.copyfileobj(stream, sys.stdout.buffer)
            return
    path = output_path(flags, ending)
    write(table, path)
    print(f"wrote {path}, {path.stat().st_size:,} bytes")


def _write_word2vec(table: CompressedTable, path: Path) -> None:
    table.to_word2vec(path)


def _write_npy(table: CompressedTable, path: Path) -> None:
    shape = (table.num_rows, table.dim)
    with atomic_write(path) as partial:
        rows = np.lib.format.open_memmap(partial, "w+", np.float32, shape)
        for i, row in enumerate(table):
            rows[i] = row
        rows.flush()
    if table.words is not None:
        with atomic_write(path.with_name(f"{path.stem}.words.txt")) as partial:
            write_names(partial, table.words)


def _write_safetensors(table: CompressedTable, path: Path) -> None:
    save_tensors(path, {_TENSOR: table.decode()})


def _write_faiss(table: CompressedTable, path: Path) -> None:
    index = _codes_only(table, "faiss").to_faiss()
    import faiss  # as `to_faiss` has found it

    with atomic_write(path) as partial:
        faiss.write_index(index, str(partial))


def _write_codes(table: CompressedTable, path: Path) -> None:
    _codes_only(table, "codes").save(path)


def _codes_only(table: CompressedTable, form: str) -> Codes:
    if not isinstance(table, Codes):
        raise InputError(f"the file holds {table.kind}; --to {form} takes codes.")
    return table


_FORMATS: dict[str, tuple[str, Callable[[CompressedTable, Path], None]]] = {
    "word2vec": (".txt", _write_word2vec),
    "npy": (".npy", _write_npy),
    "safetensors": (".vectors.safetensors", _write_safetensors),
    "faiss": (".faiss", _write_faiss),
    "codes": (".codes.safetensors", _write_codes),
}
