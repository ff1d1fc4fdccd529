"""Tables in Markdown: those of benchmarks, from which the documentation has them, and of cards."""

from collections.abc import Iterable, Sequence


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()
) -> list[str]:
    """Lays texts out as the lines of a table.

    Args:
        head: the names of the columns, of which some can be empty.
        rows: the cells, one for each column.
        right: the numbers of the columns that are ranged right.

    Raises:
        ValueError: if a row has more or fewer cells than the head.
    """
    right = set(right)
    rule = ["---:" if column in right else "---" for column in range(len(head))]
    lines = [f"|{'|'.join(rule)}|"]
    for cells in rows:
        if len(cells) != len(head):
            raise ValueError(f"{len(cells)} cells; expected {len(head)}: {cells}")
        lines.append(_line(cells))
    return [_line(head), *lines]


def _line(cells: Sequence[str]) -> str:
    texts = (text.replace("|", r"\|") for text in cells)
    return " ".join(f"| {text}" if text else "|" for text in texts) + " |"
