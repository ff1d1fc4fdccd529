"""Names of the rows of a model's table: the tokens of the `tokenizer.json` beside it.

It is read as JSON, without the library that writes it. A vocabulary is an object of numbers by
token (BPE, WordPiece, WordLevel), or a list of tokens and scores (Unigram); added tokens stand
beside it.

Axis letters: N rows.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from jaxcompress.errors import InputError

TOKENIZER = "tokenizer.json"


def read_tokens(file: Path) -> dict[int, str]:
    """Reads the tokens of a `tokenizer.json` by their ids.

    Raises:
        InputError: if it is no such file.
    """
    try:
        content = json.loads(file.read_bytes())
        vocabulary = content["model"]["vocab"]
        if not isinstance(vocabulary, dict):
            vocabulary = {token: i for i, (token, *_) in enumerate(vocabulary)}
        tokens = {i: token for token, i in vocabulary.items()}
        tokens |= {added["id"]: added["content"] for added in content.get("added_tokens") or ()}
        if not all(type(i) is int and i >= 0 and isinstance(t, str) for i, t in tokens.items()):
            raise ValueError("ids are numbers, tokens are strings")
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError, OSError) as error:
        raise InputError(
            f"{file}: no vocabulary ({type(error).__name__}: {error}); expected JSON with "
            "model.vocab, as the tokenizers library writes it."
        ) from None
    if not tokens:
        raise InputError(f"{file}: its vocabulary is empty; expected tokens.")
    return tokens


def fits(num_tokens: int, num_rows: int) -> bool:
    """Tells whether a table has a row for each token; tables are often padded by a few rows.

    >>> fits(50_295, 51_200), fits(30_522, 512), fits(500, 30_000)
    (True, False, False)
    """
    return num_tokens <= num_rows <= 1.1 * num_tokens + 128


def name_rows(tokens: Mapping[int, str], num_rows: int) -> list[str]:
    """Names N rows by their tokens; `<row ID>` where a token is missing or can be no row's name.

    A name is one line of UTF-8, and no other row's.

    >>> name_rows({0: "the", 1: "of", 3: "two lines: \\n"}, 4)
    ['the', 'of', '<row 2>', '<row 3>']
    """
    names: dict[str, None] = {}
    for row in range(num_rows):
        name = tokens.get(row)
        if name is None or "\n" in name or not _is_text(name):
            name = f"<row {row}>"
        while name in names:
            name = f"<row {row}>" if name == tokens.get(row) else f"{name}>"
        names[name] = None
    return list(names)


def _is_text(token: str) -> bool:
    try:
        token.encode()
    except UnicodeEncodeError:  # half of a character, which JSON can escape
        return False
    return True
