"""Two tables of word2vec by one procedure: of IMDB's reviews to train on, and of the test's too.

Command:  python benchmarks/imdb_vectors.py             (about half an hour, on one thread)
          python -m train.sentiment --config configs/imdb.py --config.model.network=mean
          --mode compare --vectors=out/imdb_vectors/train.npy,out/imdb_vectors/both.npy

No label is read. How much better the second table does on the test reviews is what vectors gain by
text that they have seen, and by there being twice as much of it. Needs the extra `bench`.
"""

import argparse
import time
from pathlib import Path

import gensim.models
import numpy as np

from jaxcompress.data.labelled.read import read_labelled_text
from jaxcompress.data.text.tokenizer import tokenize
from jaxcompress.storage.names import write_names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="aclImdb")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", default="out/imdb_vectors")
    flags = parser.parse_args()
    texts, out = read_labelled_text(flags.source).texts, Path(flags.out)
    out.mkdir(parents=True, exist_ok=True)
    for name, some in {"train": texts["train"], "both": texts["train"] + texts["test"]}.items():
        start = time.perf_counter()
        sentences = [tokenize(text) for text in some]
        model = gensim.models.Word2Vec(
            sentences, vector_size=flags.dim, sg=0, window=8, negative=8, min_count=5,
            epochs=flags.epochs, seed=0, workers=1,
        )  # fmt: skip
        words = model.wv.index_to_key
        np.save(out / f"{name}.npy", model.wv.vectors.astype(np.float32))
        write_names(out / f"{name}.words.txt", words)
        tokens, seconds = sum(map(len, sentences)), time.perf_counter() - start
        print(f"{name}: {len(words):,} words of {tokens:,} tokens in {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
