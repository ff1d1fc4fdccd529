"""The page of a table in a repository: what it is, what it costs, and how it is read."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxcompress.engine.page.markdown import markdown_table
from jaxcompress.errors import InputError

if TYPE_CHECKING:
    from jaxcompress.codes.artefact import Codes

_NUM_SAMPLES, _FIRST = 5, 1000  # words that are shown, taken from the first rows
_NUM_NEIGHBOURS = 5


def model_card(
    codes: "Codes",
    repo: str,
    *,
    license: str | None = None,
    summary: Mapping[str, Any] | None = None,
    sample_words: Sequence[Any] | None = None,
) -> str:
    """Writes the card of a table: Markdown, after a head in YAML.

    Args:
        codes: the table.
        repo: "ORG/NAME", from which it is to be read.
        license: the Hub's name of one, such as "apache-2.0"; None: the card names none.
        summary: further figures, such as `summary.json` of the run.
        sample_words: whose neighbours are shown; None: five of the first thousand.

    Raises:
        InputError: if the licence is no name.
        KeyError: if there is no such word.
    """
    if license is not None and not license.replace("-", "").replace(".", "").isalnum():
        raise InputError(f"license is {license!r}; expected a name such as 'apache-2.0'.")
    head = ["---", "library_name: jaxcompress", "tags:", "- embeddings", "- compression"]
    head += [f"license: {license}"] if license else []
    word = next(iter(_samples(codes)), 0)
    return "\n".join(
        [
            *head,
            "---",
            "",
            f"# {repo.rpartition('/')[2]}",
            "",
            f"{codes.num_rows:,} rows of {codes.dim} numbers as codes: each row is a sum of "
            f"{codes.num_codebooks} codewords, one of the {codes.num_codewords} of each codebook.",
            "",
            *markdown_table(["", ""], _figures(codes, summary or {}).items(), right=[1]),
            "",
            "## How to read it",
            "",
            "```python",
            "import jaxcompress",
            "",
            f'codes = jaxcompress.load("hf://{repo}")',
            f"codes[{word!r}]  # one row, NumPy",
            f"codes.nearest({word!r}, 5)",
            "codes.lookup([[0, 1], [2, 3]])  # rows by number, jax",
            "```",
            "",
            *_neighbours(codes, _samples(codes) if sample_words is None else sample_words),
        ]
    )


def _figures(codes: "Codes", summary: Mapping[str, Any]) -> dict[str, str]:
    error = summary.get("mean_squared_l2", codes.metadata.get("mean_squared_l2"))
    figures = {
        "bits per row": f"{codes.bits_per_row:,}",
        "bytes of codes and codebooks": f"{codes.num_bytes():,}",
        "bytes of the table in float32": f"{4 * codes.num_rows * codes.dim:,}",
        "times smaller": f"{codes.compression_ratio():.1f}",
        "type of the codebooks": codes.codebook_type,
    }
    if error is not None:
        figures["mean squared error of a row"] = f"{float(error):.4g}"
    if "relative_error" in summary:
        figures["the same, as a share of the rows' variance"] = f"{summary['relative_error']:.4g}"
    return figures


def _samples(codes: "Codes") -> list[Any]:
    """Takes a few rows: the words of some of the first, spread evenly; none of a tiny table."""
    if codes.num_rows <= _NUM_NEIGHBOURS:
        return []
    step = max(1, min(codes.num_rows, _FIRST) // _NUM_SAMPLES)
    rows = [step * i for i in range(_NUM_SAMPLES)]
    return rows if codes.words is None else [codes.words[row] for row in rows]


def _neighbours(codes: "Codes", words: Sequence[Any]) -> list[str]:
    if not words:
        return []
    lines = ["## Neighbours", "", "The nearest rows by cosine, of the table as it is decoded.", ""]
    for word in words:
        found = codes.nearest(word, _NUM_NEIGHBOURS)
        near = ", ".join(f"{_code(name)} {cosine:.2f}" for name, cosine in found)
        lines.append(f"- {_code(str(word))}: {near}")
    return [*lines, ""]


def _code(word: str) -> str:
    """Shows a word as it is in Markdown."""
    ticks = "``" if "`" in word else "`"
    pad = " " if "`" in word or not word.strip() else ""
    return f"{ticks}{pad}{word}{pad}{ticks}"
