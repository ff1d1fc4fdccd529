"""Few and long texts: 1,600 of IMDB's training reviews, the longest, and 2,000 of the test's.

Command:  python benchmarks/long_reviews.py                       (the mean: a minute)
          python benchmarks/long_reviews.py --network lstm --tokens 100 --epochs 12

The config is that of AG News, which is for any CSV files, with w2v as it is. The classifier reads
so many tokens of each review; 0: all of them. Half of the reviews are of either class; a tenth of
those to train on is held out, others for each seed.
"""

import dataclasses

import data
import numpy as np

from jaxcompress.classifier.corpus import number_corpus
from jaxcompress.classifier.prepare import prepare, read_source
from jaxcompress.classifier.run import run_seeds
from jaxcompress.data.labelled.read import read_labelled_text
from jaxcompress.data.text.tokenizer import number_texts
from jaxcompress.engine.page.markdown import markdown_table

COUNTS = {"train": 800, "test": 1000}  # reviews of each class


def longest(text):
    """Takes the longest reviews of each class."""
    texts, labels = {}, {}
    for split, count in COUNTS.items():
        lengths = np.diff(number_texts(text.texts[split]).bounds)
        order = np.argsort(-lengths, kind="stable")
        kept = [order[text.labels[split][order] == label][:count] for label in (0, 1)]
        ids = np.sort(np.concatenate(kept))
        texts[split], labels[split] = [text.texts[split][i] for i in ids], text.labels[split][ids]
        print(f"{split}: {len(ids):,} reviews of {lengths[ids].mean():.0f} tokens in the mean")
    return text._replace(texts=texts, labels=labels)


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--network", default="mean", choices=("mean", "lstm"))
    parser.add_argument("--tokens", default="100,400,1000,0")
    parser.add_argument("--epochs", type=float, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default="out/long_reviews")
    flags = parser.parse_args()
    own = data.config("ag_news")
    own = dataclasses.replace(
        own, vectors=flags.vectors, num_epochs=flags.epochs, num_seeds=flags.seeds, report=False,
        model=dataclasses.replace(own.model, network=flags.network),
    )  # fmt: skip
    corpus, source = number_corpus(longest(read_labelled_text("aclImdb"))), read_source(own)
    rows = []
    for tokens in map(int, flags.tokens.split(",")):
        cut = dataclasses.replace(own.data, max_tokens=tokens or None)
        config = dataclasses.replace(own, data=cut)
        workdir = f"{flags.out}/{flags.network}-{tokens}"
        found = run_seeds(prepare(corpus, source, config), workdir, "train").summary
        accuracies = [f"{found[f'{split}_accuracy']:.4f}" for split in ("valid", "test")]
        read = f"{tokens:,}" if tokens else "all"
        rows.append([flags.network, read, *accuracies, f"{found['test_accuracy_std']:.4f}"])
    head = ["network", "tokens read", "validation", "test", "deviation of seeds"]
    print("\n".join(markdown_table(head, rows)))


if __name__ == "__main__":
    main()
