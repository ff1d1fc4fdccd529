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
# # Shrink word vectors, and look inside
#
# 5,000 word vectors of 400 bytes each become 16 bytes each. A row is then 32 small numbers, its
# *codes*: each names one of 16 *codewords* of a codebook, and the row is the sum of the 32. The
# vectors are made on the spot, from the English in Python's own documentation, so there is
# nothing to download. All of it takes about three minutes on two cores.

# %%
import os
import tempfile

import numpy as np

from jaxcompress import compress, dccl, rate_distortion_bound
from jaxcompress.codes.before_after import nearest_rows, neighbours_section
from jaxcompress.data.vectors.stdlib import stdlib_vectors
from jaxcompress.dccl.report_rows import Run, Sample, usage, word_map
from jaxcompress.engine.page.cells import draw_cells
from jaxcompress.engine.page.charts import Curve, Panel, lines, to_svg
from jaxcompress.engine.page.notebook import show
from jaxcompress.engine.page.page import Picture, Section, Table

FEW_STEPS = "JAXCOMPRESS_FEW_STEPS" in os.environ  # set where only the code is tested
folder = tempfile.TemporaryDirectory()  # name a folder of yours to keep what the run writes

vectors = stdlib_vectors()  # or jaxcompress.data.read_vectors(PATH)
rows, words = vectors.rows, vectors.words
print(f"{len(words):,} words, {rows.shape[1]} numbers each; {rows.nbytes / 1e6:.1f} MB")
print(" ".join(words[100:130]))

# %% [markdown]
# ## Train
#
# An autoencoder learns codes and codebooks together, and then both are refined in turns. This is
# what `jaxcompress train dccl --config quickstart` runs.

# %%
config = dccl.Config(
    num_steps=20 if FEW_STEPS else None,
    model=dccl.ModelConfig(num_codebooks=32, num_codewords=16),
    refine=dccl.RefineConfig(num_rounds=1 if FEW_STEPS else 40),
    sample_words=(),
)
outcome = dccl.train(config, folder.name)

# %%
codes, summary = outcome.codes, outcome.summary
per_row = codes.bits_per_row // 8
print(f"{rows[0].nbytes} bytes a word became {per_row}, and {codes.codebook_bytes:,} for all.")
print(f"Lost: {summary['relative_error']:.1%} of the variance.")
print(f"'{words[100]}' is now", codes.codes[100])

# %% [markdown]
# ## Which words share codewords?
#
# Nobody told the codes what words mean, yet words that are alike get some of the same codewords.
# Below, each line is a word, each column a codebook; a square is filled where the word has the
# codeword that *thread* has. First the words that are nearest to it, then some at random.

# %%
word = "thread"
near = [words[i] for i, _ in nearest_rows(rows, [words.index(word)], 12)[0]]
others = [words[i] for i in np.random.default_rng(0).integers(50, 2000, 6)]
chosen = [word, *near, *others]
same = np.stack([codes.codes[words.index(w)] for w in chosen]) == codes.codes[words.index(word)]
picture = draw_cells(
    same * 0.8, "Codes shared with a word", x_label="codebooks", y_label="words", row_names=chosen
)
show(Section("", pictures=[Picture(picture)]))

# %% [markdown]
# Two words that have nothing to do with each other share 32 / 16 = 2 codes by chance. Over many
# pairs: the more codes they share, the nearer they are.

# %%
unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
some = np.arange(0, 2000, 10)
cosines = (unit[some] @ unit.T).ravel()
shared = np.stack([(codes.codes == codes.codes[i]).sum(axis=1) for i in some]).ravel()
counts = np.bincount(shared, minlength=33)
means = np.bincount(shared, cosines, minlength=33) / np.maximum(counts, 1)
points = [(n, means[n]) for n in range(32) if counts[n] >= 30]
shares = [(n, counts[n] / counts.sum()) for n in range(32) if counts[n] >= 30]
panels = [
    Panel({"": Curve(points)}, "how near they are", "codes that two words share", "mean cosine"),
    Panel(
        {"": Curve(shares, colour="blue")},
        "how many pairs",
        "codes that two words share",
        "share of pairs",
        "y",
    ),
]
show(Section("", pictures=[Picture(to_svg(lines(p, 400, 250), p.title)) for p in panels]))

# %% [markdown]
# And the codewords themselves. Of all codebooks this one says most about a row; for each of six of
# its codewords, those of the words that have it which point most in its direction. Some can be
# read, others stand for what no one has a name for.

# %%
centred = rows - rows.mean(axis=0)
told = []
for m in range(codes.num_codebooks):
    sums = np.zeros((codes.num_codewords, rows.shape[1]))
    np.add.at(sums, codes.codes[:, m], centred)
    sizes = np.maximum(np.bincount(codes.codes[:, m], minlength=codes.num_codewords), 1)
    told.append((np.square(sums).sum(axis=1) / sizes).sum() / np.square(centred).sum())
best = int(np.argmax(told))
strength = np.linalg.norm(codes.codebooks[best], axis=1)
table = []
for k in np.argsort(-strength)[:6]:
    has = np.flatnonzero(codes.codes[:, best] == k)
    along = unit[has] @ codes.codebooks[best, k]
    table.append([int(k), len(has), ", ".join(words[i] for i in has[np.argsort(-along)[:12]])])
show(
    Section(
        "", tables=[Table(["codeword", "words", "those that point most in its direction"], table)]
    )
)

# %% [markdown]
# ## Before and after
#
# What matters to most uses is who stands next to whom.

# %%
show(neighbours_section(rows, codes, ["string", "thread", "file", "red", "integer", "monday"], 8))

# %%
run = Run(None, config, vectors, codes, summary)
sample = Sample(run)
print(f"{sample.kept_neighbours():.0%} of the ten nearest neighbours are the same.")
show(word_map(run, sample), usage(codes))

# %% [markdown]
# ## How good is that?
#
# Error against bytes, for three sizes of codes. The dashed line is a bound: what no code of so many
# bits can beat, however clever, if rows are Gaussian with this covariance. The dots round each
# number to 1, 2 or 3 bits between two ends of its row.
#
# The upper line of codes counts all bytes. With 5,000 rows the codebooks are more than half of
# them; in a table of a million rows they are next to nothing, and what is left are the codes, the
# lower line. (It can be below the bound, which knows nothing of codebooks fitted to few rows.)


# %%
def error(decoded):
    """The mean squared distance between rows and what is left of them."""
    return float(np.square(decoded - rows).sum(axis=1).mean())


def rounded(bits):
    """Rows with each number rounded to so many bits, between the quantiles of its row."""
    levels = 2**bits
    low, high = np.quantile(rows, [0.5 / levels, 1 - 0.5 / levels], axis=1, keepdims=True)
    steps = np.round((rows - low) / (high - low) * (levels - 1)).clip(0, levels - 1)
    return low + steps * (high - low) / (levels - 1)


settings = dccl.Config(num_steps=20 if FEW_STEPS else 800)
settings.refine.num_rounds = 1 if FEW_STEPS else 20
sizes = [codes]
for num_codebooks in (8,) if FEW_STEPS else (8, 16):
    sizes.append(compress(vectors, num_codebooks, 16, config=settings, show_progress=False))
errors = [error(some.decode()) for some in sizes]
all_bytes = [some.num_bytes() / len(rows) for some in sizes]
code_bytes = [some.codes_bytes / len(rows) for some in sizes]
ends = 4  # bytes of a row, as float16
curves = {
    "codes and codebooks": Curve(sorted(zip(all_bytes, errors, strict=True))),
    "codes alone": Curve(sorted(zip(code_bytes, errors, strict=True)), colour="grey"),
    "rounded numbers": Curve(
        [(ends + rows.shape[1] * bits / 8, error(rounded(bits))) for bits in (1, 2, 3)],
        "points",
        "blue",
    ),
    "Gaussian bound": Curve(
        [(n, rate_distortion_bound(rows, 8 * n)) for n in range(3, 43)], "dashed", "ink"
    ),
}
panel = Panel(curves, "", "bytes a row", "mean squared error")
show(Section("", pictures=[Picture(to_svg(lines(panel, 560, 320), "Error against bytes"))]))

# %% [markdown]
# ## Keep it
#
# One file holds codes, codebooks and words. It is read with NumPy alone, and in a browser too.

# %%
codes.save(f"{folder.name}/words.safetensors")
size = os.path.getsize(f"{folder.name}/words.safetensors")
print(f"{size:,} bytes, words and all; the vectors alone were {rows.nbytes:,}.")
print([word for word, _ in codes.nearest("thread", 5)])

# %% [markdown]
# The run has left a page with more of such pictures, `report.html`, in its folder. Next: give the
# path of your own vectors to `read_vectors` and to `dccl.DataConfig(path=...)`.
