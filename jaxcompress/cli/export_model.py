"""`jaxcompress export-model FOLDER`: a copy of a model with the compressed table in it, decoded."""

import argparse

from jaxcompress.loading import load_codes
from jaxcompress.models import export_model
from jaxcompress.notes import note


def main(argv: list[str], prog: str) -> None:
    """Writes the copy."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Writes a copy of a model's folder in which the table is what the codes stand "
        "for, in the type that it had; all else is as it was.",
    )
    parser.add_argument("folder", metavar="FOLDER", help="the model: safetensors, in shards or not")
    parser.add_argument("--codes", required=True, metavar="FILE", help="codes of its table")
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="the folder to make")
    parser.add_argument("--tensor", metavar="NAME", help="the table; default: the likely one")
    flags = parser.parse_args(argv)
    exported = export_model(flags.folder, load_codes(flags.codes), flags.out, tensor=flags.tensor)
    for line in exported.notes:
        note(line)
    print(f"wrote {exported.folder}: {', '.join(exported.tensors)} are what the codes stand for")
