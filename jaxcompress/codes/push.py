"""Codes to the Hugging Face Hub: their file, and a card."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcompress.codes.files import CODES_FILE
from jaxcompress.codes.model_card import model_card
from jaxcompress.storage.hub import upload

if TYPE_CHECKING:
    from jaxcompress.codes.artefact import Codes


def push(
    codes: "Codes",
    repo: str,
    *,
    private: bool,
    license: str | None,
    card: str | None,
    summary: Mapping[str, Any] | None,
    token: str | None,
) -> str:
    """Uploads codes; see `Codes.push_to_hub`."""
    if card is None:
        card = model_card(codes, repo, license=license, summary=summary)
    with tempfile.TemporaryDirectory() as folder:
        codes.save(Path(folder) / CODES_FILE)
        (Path(folder) / "README.md").write_text(card, encoding="utf-8", errors="replace")
        return upload(Path(folder), repo, message=repr(codes), private=private, token=token)
