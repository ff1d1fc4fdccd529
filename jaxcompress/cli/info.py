"""`jaxcompress info FILE`: what is in a compressed file."""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from jaxcompress.compressed.table import CompressedTable
from jaxcompress.loading import load


def main(argv: list[str], prog: str) -> None:
    """Prints name and value, a line each."""
    parser = argparse.ArgumentParser(
        prog=prog, description="What is in the file of a compressed table, or in a run's workdir."
    )
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--json", action="store_true", help="as JSON")
    flags = parser.parse_args(argv)
    table = load(flags.file)
    figures = {"file": flags.file, **describe(table), **_about_file(Path(flags.file))}
    if flags.json:
        print(json.dumps(figures, indent=2))
        return
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):<{width}}  {_show(value)}")


def describe(table: CompressedTable) -> dict[str, Any]:
    """Gives the figures of a compressed table by name."""
    return {
        "holds": table.kind,
        "num_rows": table.num_rows,
        "dim": table.dim,
        **table.figures(),
        "num_bytes": table.num_bytes(),
        "float32_bytes": 4 * table.num_rows * table.dim,
        "compression_ratio": table.compression_ratio(),
        "words": None if table.words is None else list(table.words[:5]),
        **table.metadata,
    }


def _about_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    return {"file_bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _show(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:,.5g}"
    return f"{value:,}" if isinstance(value, int) else value
