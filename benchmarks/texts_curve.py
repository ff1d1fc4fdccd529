"""Accuracy against the bytes of a table of words, of each kind of table, on AG News or IMDB.

Command:  python benchmarks/texts_curve.py                  (AG News: a quarter of an hour)
          python benchmarks/texts_curve.py --data imdb --seeds 1 --epochs 3 --tokens 400 --width 400

The network is `mean`, a linear layer over the mean of a text's vectors, so that runs take seconds.
AG News: 4,000 texts to train on, 1,000 to choose by, the official 7,600 to test; texts of the test
are taken out of the others. IMDB: the official 25,000 and 25,000. One procedure tunes all tables
that are learned: each has a rate that is chosen on validation texts, for each size. "Fewer words"
is a dense table of the most frequent ones alone. Codes are those of the dense run's table, as they
are, and with codebooks trained. The given vectors, and each class's share, stand beside them. What
is done lies in OUT and is not done again; the table goes to OUT/table.md, the picture to table.png.
"""

import dataclasses
import json
from pathlib import Path

import data
import numpy as np

import jaxcompress
from jaxcompress import classifier
from jaxcompress.classifier.corpus import number_corpus, read_texts
from jaxcompress.classifier.prepare import read_source
from jaxcompress.classifier.run import prepare_chosen, run_seeds
from jaxcompress.data.text.tokenizer import tokenize
from jaxcompress.engine.page.charts import Curve, Panel, save_panels
from jaxcompress.engine.page.markdown import markdown_table
from jaxcompress.storage.atomic import atomic_write

DENSE, CODEBOOKS = 64, (8, 16)
LEARNED = {  # fields of ModelConfig and OptimizerConfig, or max_vocab, for each size
    "dense": [{"dim": d} for d in (4, 16, DENSE)],
    "fewer words": [{"dim": 16, "max_vocab": v} for v in (1000, 4000)],
    "low_rank": [{"dim": DENSE, "rank": r} for r in (2, 8)],
    "hashed": [{"dim": 16, "num_rows": n} for n in (500, 2000)],
    "ant": [{"dim": DENSE, "num_anchors": 20, "penalty": p} for p in (1e-5, 1e-4, 1e-3)],
    "nbant": [{"dim": DENSE, "num_anchors": 10, "penalty": p} for p in (1e-5, 1e-4, 1e-3)],
}
LABELS = {"low_rank": "low rank", "hashed": "hashed rows", "ant": "ANT", "nbant": "NBANT"}


def configure(flags, vectors, embedding, size):
    """The config of one point."""
    own = data.config("ag_news" if flags.data == "ag_news" else "imdb")
    texts = dataclasses.replace(own.data, max_tokens=flags.tokens, bucket_width=flags.width)
    texts.max_vocab = size.get("max_vocab", texts.max_vocab)
    if flags.data == "ag_news":
        texts.test = "ag_news/test.csv"
    optimizer = dataclasses.replace(own.optimizer, penalty=size.get("penalty", 0.0))
    model = {k: v for k, v in size.items() if k in ("dim", "rank", "num_rows", "num_anchors")}
    return dataclasses.replace(
        own,
        data=texts,
        vectors=vectors,
        embedding=embedding,
        num_epochs=flags.epochs,
        num_seeds=flags.seeds,
        report=False,
        model=classifier.ModelConfig(network="mean", **model),
        optimizer=optimizer,
    )


def without_test_texts(text):
    """Takes the texts of the test out of the other splits."""
    texts, labels = dict(text.texts), dict(text.labels)
    tested = set(map(_words, texts["test"]))
    for split in ("train", "valid") if "valid" in texts else ("train",):
        kept = [i for i, one in enumerate(texts[split]) if _words(one) not in tested]
        print(f"{split}: left out {len(texts[split]) - len(kept)} texts of the test")
        texts[split], labels[split] = [texts[split][i] for i in kept], labels[split][kept]
    return text._replace(texts=texts, labels=labels)


def _words(text):
    return " ".join(tokenize(text))


def measure(corpus, config, workdir):
    """The summary of a point, made unless it is there."""
    file = workdir / "summary.json"
    if not file.exists():
        print(f"\n== {workdir.name}", flush=True)
        problem = prepare_chosen(corpus, read_source(config), config, str(workdir))
        run_seeds(problem, str(workdir), "train")
    return json.loads(file.read_text())


def codes_of(workdir, out):
    """Codes of the table of a dense run, made unless they are there."""
    file = out / "codes.safetensors"
    if not file.exists():
        folder = workdir if (workdir / "export").exists() else workdir / "seed-0"
        vectors = jaxcompress.data.read_vectors(str(folder / "export" / "embedding.npy"))
        size = {"num_codebooks": CODEBOOKS[0], "num_codewords": CODEBOOKS[1]}
        jaxcompress.compress(vectors.rows, **size, words=vectors.words, effort="fast").save(file)
    return str(file)


def points(flags, corpus, out):
    """Yields label, size and summary of each point."""
    for kind, sizes in LEARNED.items():
        for size in sizes:
            embedding = "dense" if kind == "fewer words" else kind
            name = "-".join([kind.replace(" ", "-"), *(f"{v:g}" for v in size.values())])
            found = measure(corpus, configure(flags, None, embedding, size), out / name)
            yield LABELS.get(kind, kind), size, found
    codes = codes_of(out / f"dense-{DENSE}", out)
    for kind, label in (("frozen", "codes"), ("finetune_codebooks", "codes, trained codebooks")):
        config = configure(flags, codes, kind, {})
        yield label, {"M": CODEBOOKS[0], "K": CODEBOOKS[1]}, measure(corpus, config, out / kind)
    config = configure(flags, flags.vectors, "frozen", {})
    yield "given vectors", {}, measure(corpus, config, out / "given")


def leave(flags, out, corpus, found):
    """Writes the table and the picture."""
    labels = corpus.labels[corpus.ranges["test"]]
    rows = [
        ["the largest class", "", "0", f"{np.bincount(labels).max() / len(labels):.4f}", "", ""]
    ]
    curves = {}
    for label, size, summary in found:
        size = ", ".join(f"{name} {value:g}" for name, value in size.items())
        choice = summary.get("table_rate")
        rows.append([
            label, size, f"{summary['embedding_bytes']:,}", f"{summary['test_accuracy']:.4f}",
            f"{summary.get('test_accuracy_std', 0):.4f}", "" if choice is None else f"{choice:g}",
        ])  # fmt: skip
        curves.setdefault(label, []).append((summary["embedding_bytes"], summary["test_accuracy"]))
    head = ["table", "size", "bytes", "test accuracy", "deviation of seeds", "rate"]
    with atomic_write(out / "table.md") as partial:
        partial.write_text("\n".join(markdown_table(head, rows, right=[2])) + "\n")
    title = {"ag_news": "AG News", "imdb": "IMDB"}[flags.data] + ": the mean of a text's vectors"
    lines = {label: Curve(sorted(some)) for label, some in curves.items()}
    panel = Panel(lines, "", "bytes of the table", "test accuracy", "x")
    save_panels([panel], out / "table.png", title)


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--data", default="ag_news", choices=("ag_news", "imdb"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=10)
    parser.add_argument("--tokens", type=int, help="that are read of a text; not given: all")
    parser.add_argument("--width", type=int, default=100, help="texts are padded to a multiple")
    parser.add_argument("--out", default="out/texts_curve")
    flags = parser.parse_args()
    out = Path(flags.out) / flags.data
    text = without_test_texts(read_texts(configure(flags, None, "dense", {})))
    corpus, found = number_corpus(text), []
    for point in points(flags, corpus, out):
        found.append(point)
        leave(flags, out, corpus, found)
    print((out / "table.md").read_text())


if __name__ == "__main__":
    main()
