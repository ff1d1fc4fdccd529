# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One table for both ends
#
# A language model reads words by one table and predicts them by another of the same size. *Tying*
# uses one table for both, and *AL*, the augmented loss, trains with a teacher that knows which
# words are near each other; both together are REAL. Then codes take the place of the one table.
# All of it takes about four minutes on two cores, on the English in Python's own documentation,
# so there is nothing to download.

# %%
import contextlib
import io
import os
import tempfile
from pathlib import Path

import jax
import numpy as np

from jaxcompress import compress, dccl, tying
from jaxcompress.data import read_vectors
from jaxcompress.engine.page.charts import Bars, Curve, Panel, bars, lines, to_svg
from jaxcompress.engine.page.curves import panels_of_runs
from jaxcompress.engine.page.notebook import show
from jaxcompress.engine.page.page import Picture, Section, Table

FEW_STEPS = "JAXCOMPRESS_FEW_STEPS" in os.environ  # set where only the code is tested
scratch = tempfile.TemporaryDirectory()  # name a folder of yours to keep what the runs write
folder = Path(scratch.name)

# %% [markdown]
# ## Two tables, and one
#
# Three models of one LSTM layer, 4,000 words and one pass over the text: two tables of 96 numbers
# a word; one table of 96; and two of 54, so that there are as many parameters as with the one of
# 96.


# %%
def config(variant, units):
    """A small language model: "baseline" has two tables, "real" one."""
    units = 8 if FEW_STEPS else units
    model = tying.ModelConfig(hidden_size=units, num_layers=1, dropout=0.1, temperature=20.0)
    return tying.Config(
        batch_size=32,
        num_epochs=1.0,
        num_steps=8 if FEW_STEPS else None,
        eval_every=None if FEW_STEPS else 118,  # four times
        report=False,
        data=tying.DataConfig(path=TEXT, max_vocab=300 if FEW_STEPS else 4_000),
        model=tying.with_variant(model, variant),
        optimizer=tying.OptimizerConfig(learning_rate=0.8),
    )


TEXT = "stdlib"
if FEW_STEPS:  # a short text of its own
    TEXT = str(folder / "text")
    (folder / "text").mkdir()
    drawn = np.random.default_rng(0).integers(0, 60, (300, 8))
    text = "".join(" ".join(f"word{i}" for i in line) + "\n" for line in drawn)
    for split in ("train", "valid", "test"):
        (folder / "text" / f"{split}.txt").write_text(text)

configs = {
    "two tables": config("baseline", 96),
    "one table": config("real", 96),
    "two small tables": config("baseline", 54),
}
if FEW_STEPS:
    del configs["two small tables"]
outcomes = {}
for name, each in configs.items():
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the figures that follow here
        outcomes[name] = tying.train(each, str(folder / name))

# %% [markdown]
# With one table the model has about half the parameters of that with two of the same width, nearly
# all of them in the table. In a training as short as this, two tables learn faster, since each has
# one thing to learn, and the one for the output has a bias. In the paper, after 60 epochs of Penn
# Treebank, it is the other way round: a test perplexity of 82.7 with one table and the augmented
# loss, and of 87.3 with two.

# %%
figures = {
    name: (sum(x.size for x in jax.tree.leaves(outcome.params)), outcome.summary["test_perplexity"])
    for name, outcome in outcomes.items()
}
chart = bars(
    list(figures),
    [
        Bars([size / 1e3 for size, _ in figures.values()], "thousand parameters", ",.0f"),
        Bars([perplexity for _, perplexity in figures.values()], "test perplexity", ".1f"),
    ],
    marked=["one" in name for name in figures],
    width=640,
)
panels = panels_of_runs({name: folder / name for name in outcomes})
panel = next(panel for panel in panels if "perplexity" in panel.title)
curves = lines(panel._replace(title="", y_label="validation perplexity", log="y"), 520, 280)
show(
    Section(
        "",
        pictures=[
            Picture(to_svg(chart, "Parameters and perplexity")),
            Picture(to_svg(curves, "Validation perplexity while training")),
        ],
    )
)

# %% [markdown]
# What the model with one table writes, from the start of a line on:

# %%
best = folder / "one table"
written = tying.generate_text(tying.open_reader(best), "", 60, temperature=0.8)
show(Section("", quotes=[written]))

# %% [markdown]
# ## Codes in the table's place
#
# A run leaves its table in `export/`. Codes of it stand for both ends at once, since there is one
# table. For a model that was trained to its end, `compress(metric=...)` keeps more of the logits in
# as many bytes: the documentation's page on DCCL says how.

# %%
vectors = read_vectors(str(best / "export/embedding.npy"))
print(f"{len(vectors.words):,} words x {vectors.rows.shape[1]}: {vectors.rows.nbytes:,} bytes")

settings = dccl.Config(num_steps=10 if FEW_STEPS else 800)
settings.refine.num_rounds = 1 if FEW_STEPS else 15
measured = []
for num_codebooks in (8,) if FEW_STEPS else (8, 16, 32):
    codes = compress(vectors, num_codebooks, 16, config=settings, show_progress=False)
    found = tying.evaluate_codes(best, codes)
    measured.append((codes.num_bytes() / 1e3, found["compressed_test_perplexity"]))

# %%
own = found["test_perplexity"]
ends = [(size, own) for size, _ in (measured[0], measured[-1])]
name = f"the table, {vectors.rows.nbytes / 1e3:,.0f} kB"
curves = {"codes": Curve(measured), name: Curve(ends, "dashed", "ink")}
panel = Panel(curves, "", "kB of codes and codebooks", "test perplexity")
rows = [["the table", vectors.rows.nbytes / 1e3, own], *(["codes", *row] for row in measured)]
show(
    Section(
        "",
        pictures=[Picture(to_svg(lines(panel, 520, 280), "Perplexity with codes"))],
        tables=[Table(["", "kB", "perplexity"], rows)],
    )
)

# %% [markdown]
# ## Your text
#
# Give `tying.DataConfig(path=...)` a folder with train, valid and test files. The paper's models,
# and how they do after 60 epochs, are in `configs/ptb.py` and in the documentation's page on
# tying.
