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
# # A recommender in a few anchors
#
# A recommender has a row for each user and each film; a rating is the product of two rows. In a
# dense table all numbers of a row are free. *Anchor & Transform* gives every row a few anchors to
# mix instead: the table is `T @ A`, anchors `A` are few, and `T` is sparse and never negative.
# NBANT finds the number of anchors too. All of it takes about two minutes on two cores.
#
# The ratings are made here, so that we know what is to be found: a film is a mix of 2 of 12
# genres, a user's taste one of 3, and a rating is their product, with noise, in half stars. The
# models see users, films and stars, and never a genre.

# %%
import contextlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np

from jaxcompress import ant
from jaxcompress.engine.page.cells import draw_cells
from jaxcompress.engine.page.charts import Curve, Panel, lines, to_svg
from jaxcompress.engine.page.notebook import show
from jaxcompress.engine.page.page import Picture, Section, Table, Word

FEW_STEPS = "JAXCOMPRESS_FEW_STEPS" in os.environ  # set where only the code is tested
scratch = tempfile.TemporaryDirectory()  # name a folder of yours to keep what the runs write
folder = Path(scratch.name)

# %% [markdown]
# ## Films, users, stars
#
# Two files as MovieLens has them: `ratings.csv`, and `movies.csv` with titles and genres.

# %%
GENRES = ["Adventure", "Animation", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Musical",
          "Mystery", "Romance", "War", "Western"]  # fmt: skip
NUM_USERS, NUM_FILMS, NUM_RATINGS = 1000, 600, 5_000 if FEW_STEPS else 120_000
rng = np.random.default_rng(0)


def mixes(num_rows, num_mixed):
    """Rows with a few weights from 0.5 to 1.5, and zeros."""
    weights = np.zeros((num_rows, len(GENRES)))
    for row in weights:
        chosen = rng.permutation(len(GENRES))[:num_mixed]
        row[chosen] = rng.uniform(0.5, 1.5, num_mixed)
    return weights


films, tastes = mixes(NUM_FILMS, 2), mixes(NUM_USERS, 3)
liking = tastes @ films.T
users, items = np.divmod(rng.permutation(liking.size)[:NUM_RATINGS], NUM_FILMS)
exact = 1.8 + liking[users, items] / liking.std()
stars = np.clip(np.round(2 * (exact + 0.25 * rng.normal(size=NUM_RATINGS))) / 2, 0.5, 5)

order = np.argsort(-films, axis=1)[:, :2]
titles = [f"{GENRES[a]} {n} with {GENRES[b]}" for n, (a, b) in enumerate(order, 1)]
(folder / "movies.csv").write_text(
    "movieId,title,genres\n"
    + "".join(
        f"{n},{title},{GENRES[a]}|{GENRES[b]}\n"
        for n, (title, (a, b)) in enumerate(zip(titles, order, strict=True), 1)
    )
)
(folder / "ratings.csv").write_text(
    "userId,movieId,rating,timestamp\n"
    + "".join(
        f"{u + 1},{i + 1},{s},{n}\n"
        for n, (u, i, s) in enumerate(zip(users, items, stars, strict=True))
    )
)
print(f"{len(stars):,} ratings, {len(stars) / liking.size:.0%} of all pairs; for example")
for u, i, s in zip(users[:4], items[:4], stars[:4], strict=True):
    print(f"  user {u + 1} gives {s} stars to '{titles[i]}'")

# %% [markdown]
# ## Three models
#
# - *MF*, matrix factorisation: dense tables, of 4, 12 or 32 numbers a row.
# - *ANT*: mixes of 16 anchors of 32 numbers, pruned to 6,000 parameters.
# - *NBANT*: starts with 8 anchors, adds some as long as that pays, and is pruned to 5,000.

# %%
OPTIMIZER = ant.OptimizerConfig(learning_rate=0.03, cooldown=0.45)


def config(num_steps, **groups):
    """A config over the films; with few steps where only the code is tested."""
    num_steps = 100 if FEW_STEPS else num_steps
    return ant.Config(
        num_steps=num_steps,
        eval_every=num_steps // 20,
        report=False,
        data=ant.DataConfig(path=str(folder)),
        optimizer=OPTIMIZER,
        **groups,
    )


configs = {
    f"MF of {dim}": config(
        6_000,
        model=ant.ModelConfig(table="dense", latent_dim=dim),
        penalty=ant.PenaltyConfig(l2=0.01),
    )
    for dim in ([32] if FEW_STEPS else [4, 12, 32])
}
configs["ANT"] = config(
    8_000,
    model=ant.ModelConfig(latent_dim=32, user_anchors=16, item_anchors=16),
    penalty=ant.PenaltyConfig(num_parameters=6_000),
)
configs["NBANT"] = config(
    12_000,
    model=ant.ModelConfig(latent_dim=32, user_anchors=8, item_anchors=8),
    penalty=ant.PenaltyConfig(num_parameters=5_000),
    growth=ant.GrowthConfig(
        enabled=True,
        num_steps=None if FEW_STEPS else 5_000,
        max_anchors=24,
        anchor_penalty=5e-3,
    ),
)
outcomes = {}
for name, each in configs.items():
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the figures that follow here
        outcomes[name] = ant.train(each, str(folder / name))

# %% [markdown]
# ## What they cost, and what they give
#
# The error of test ratings, in squared stars, over all parameters that are not 0. The dashed line
# is the noise that we put in, and the rounding to half stars: the least error there can be. Four
# numbers a row are too few for twelve genres, and thirty-two learn noise by heart. The few
# numbers of anchors do as well as twelve dense numbers a row, the best of the dense tables, with
# a quarter of their parameters.

# %%
summaries = {name: outcome.summary for name, outcome in outcomes.items()}
floor = float(np.square(stars - exact).mean())
sizes = sorted((s["parameters"], s["test_mse"]) for n, s in summaries.items() if "MF" in n)
curves = {
    "MF": Curve(sizes, colour="grey"),
    **{
        name: Curve([(summaries[name]["parameters"], summaries[name]["test_mse"])], "star")
        for name in ("ANT", "NBANT")
    },
    "noise": Curve([(4_000, floor), (60_000, floor)], "dashed", "ink"),
}
chart = lines(Panel(curves, "", "parameters", "test MSE", "x"), 520, 300)
table = [
    [name, s["parameters"], s["stored_bytes"], s["test_mse"], s.get("num_anchors", [None])[0]]
    for name, s in sorted(summaries.items(), key=lambda pair: pair[1]["test_mse"])
]
head = ["model", "parameters", "bytes", "test MSE", "anchors"]
show(
    Section(
        "",
        pictures=[Picture(to_svg(chart, "Test error against parameters"))],
        tables=[Table(head, table)],
    )
)

# %% [markdown]
# ## The sparse matrix
#
# `T` of the films as NBANT leaves it: a row for each of 120 films, a column for each anchor,
# white where there is nothing. Films that lean on the same anchor stand together. Most have the
# two anchors that they were made of.

# %%
items_table = outcomes["NBANT"].tables.part("items")
transform = items_table.to_csr()[:, :-1].toarray()  # without the mean row, which ends the anchors
weights = transform * np.linalg.norm(items_table.anchors[:-1], axis=1)
weights = weights[:, (weights > 0).any(axis=0)]
shown = weights[:: max(1, len(weights) // 120)]
shown = shown[np.lexsort((-shown.max(axis=1), shown.argmax(axis=1)))]
picture = draw_cells(
    shown / np.quantile(shown, 0.98), "Films as mixes of anchors", x_label="anchors",
    y_label="films", width=420, most=26,
)  # fmt: skip
per_film = (weights > 0).sum(axis=1)
caption = f"{weights.shape[1]} anchors are in use, {per_film.mean():.1f} in a film."
show(Section("", pictures=[Picture(picture, caption)]))

# %% [markdown]
# ## What each anchor stands for
#
# `inspect_anchors` lists the films that lean most on each anchor, and, from `movies.csv`, the
# genre that they share. The model was told no genres; it has found them in the stars.

# %%
found = [a for a in ant.inspect_anchors(str(folder / "NBANT"), 6) if a.num_items]
table = [
    [a.genre, f"{a.purity:.0%} ({a.share:.0%})", a.num_items,
     [Word(item.title) for item in a.items[:2]]]
    for a in sorted(found, key=lambda a: a.genre)
]  # fmt: skip
show(Section("", tables=[Table(["genre", "have it (of all films)", "films", "most of it"], table)]))

# %% [markdown]
# And since we know the mixes that the films were made of, we can look at all films at once: how
# well the weights of each anchor agree with those of each genre (their correlation, where it is
# positive). One full square in each line is a genre that has become one anchor.

# %%
ids = [int(name) - 1 for name in items_table.words]
both = np.corrcoef(weights.T, films[ids].T)[: weights.shape[1], weights.shape[1] :]
both = both[np.argsort(both.argmax(axis=1), kind="stable")]
picture = draw_cells(
    np.maximum(both, 0), "Anchors and genres", x_label="genres", y_label="anchors", most=26,
    column_names=GENRES,
)  # fmt: skip
show(Section("", pictures=[Picture(picture)]))

# %% [markdown]
# ## Your ratings
#
# Give `ant.DataConfig` the path of a file of ratings: MovieLens and Amazon are read as they come,
# other files by `columns=`. Each run leaves `report.html` with such pictures unless
# `report=False`, and `export/anchors.safetensors`, which `jaxcompress.load_anchors` opens.
