"""`jaxcompress report WORKDIR`: the page of a run, written anew."""

import argparse

from jaxcompress.reporting import write_report


def main(argv: list[str], prog: str) -> None:
    """Writes the page and says where it is."""
    parser = argparse.ArgumentParser(
        prog=prog, description="Writes WORKDIR/report.html anew: a run to look at, in one file."
    )
    parser.add_argument("workdir", metavar="WORKDIR", help="of a run of any method")
    print(f"wrote {write_report(parser.parse_args(argv).workdir)}")
