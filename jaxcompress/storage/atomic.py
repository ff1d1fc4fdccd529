"""Files of codes: bit-packing, the .safetensors artefact, the references' text, word2vec's text.

NumPy only. Axis letters: N rows, M codebooks, K codewords, D dimensions.
"""

import os
from pathlib import Path


class atomic_write:
    """`with replacing(path) as partial:` writes a file under another name, then renames it."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> Path:
        return self.partial

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            os.replace(self.partial, self.path)
        else:
            self.partial.unlink(missing_ok=True)
