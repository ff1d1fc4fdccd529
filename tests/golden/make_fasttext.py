"""Makes fasttext.bin and fasttext.vec: a tiny model of fastText 0.9.2, and its vectors.

Run it in an environment with `fasttext`, which the tests do without.
"""

import random
import tempfile
from pathlib import Path

import fasttext

FOLDER = Path(__file__).parent
WORDS = ["king", "kings", "café", "東京", "x"]

if __name__ == "__main__":
    draw = random.Random(0)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as text:
        text.write("\n".join(" ".join(draw.choices(WORDS, k=8)) for _ in range(300)))
        text.flush()
        settings = {"dim": 4, "minn": 2, "maxn": 4, "bucket": 30, "lr": 0.5}
        model = fasttext.train_unsupervised(text.name, minCount=1, thread=1, **settings)
    model.save_model(str(FOLDER / "fasttext.bin"))
    lines = [f"{len(model.words)} 4"]
    for word in model.words:
        lines.append(" ".join([word, *(f"{x:.9g}" for x in model.get_word_vector(word).tolist())]))
    (FOLDER / "fasttext.vec").write_text("\n".join(lines) + "\n", encoding="utf-8")
