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
# # Compress the table of your own model
#
# You have a model whose largest part is its table of tokens, in a folder with `model.safetensors`
# and `tokenizer.json`. Here is the whole way: the table is found and becomes codes, a layer takes
# its place in Flax and in PyTorch, a little training of the codebooks gets back a part of what
# was lost, and a copy of the folder shows any other framework what it costs.
#
# The model is made here, so there is nothing to download: from four words it predicts the fifth,
# with one table for input and output. All of it takes about two minutes on two cores.

# %%
import json
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.traverse_util import flatten_dict
from safetensors.numpy import load_file, save_file

from jaxcompress import compress, dccl
from jaxcompress.codes.before_after import neighbours_section
from jaxcompress.data import read_corpus, read_vectors
from jaxcompress.engine.page.charts import Curve, Panel, lines, to_svg
from jaxcompress.engine.page.notebook import show
from jaxcompress.engine.page.page import Picture, Section, Table
from jaxcompress.layers import CodesEmbed
from jaxcompress.models import export_model

FEW_STEPS = "JAXCOMPRESS_FEW_STEPS" in os.environ  # set where only the code is tested
scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)

corpus = read_corpus("stdlib", max_vocab=500 if FEW_STEPS else 4000)  # the English of Python's docs
V, D, CONTEXT = len(corpus.words), 32 if FEW_STEPS else 96, 4
print(f"{V:,} words; {len(corpus.splits['train']):,} tokens to train on")

# %% [markdown]
# ## A model
#
# The table is whatever `embed` is: it gives rows for ids, and `attend` gives logits over all
# words.


# %%
class NextWord(nn.Module):
    """Four words, int [B, 4] -> logits of the fifth, [B, V]."""

    embed: nn.Module

    @nn.compact
    def __call__(self, ids):
        rows = self.embed(ids).reshape(len(ids), -1)
        hidden = nn.gelu(nn.Dense(256, name="hidden")(rows))
        return self.embed.attend(nn.Dense(D, name="out")(hidden))


def batch(split, places):
    """The words before some places of the text, and the words there."""
    text = corpus.splits[split]
    return text[places[:, None] + np.arange(CONTEXT)], text[places + CONTEXT]


def fit(model, variables, num_steps, learning_rate):
    """Trains `variables["params"]`. Returns all variables, and the last loss."""
    fixed = {name: value for name, value in variables.items() if name != "params"}
    tx = optax.adam(optax.cosine_decay_schedule(learning_rate, num_steps))

    @jax.jit
    def step(params, state, ids, targets):
        def loss(params):
            logits = model.apply({"params": params, **fixed}, ids)
            return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()

        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    rng = np.random.default_rng(0)
    params, state = variables["params"], tx.init(variables["params"])
    for _ in range(num_steps):
        places = rng.integers(0, len(corpus.splits["train"]) - CONTEXT, 512)
        params, state, value = step(params, state, *batch("train", places))
    return {"params": params, **fixed}, float(value)


def loss_of(model, variables):
    """The loss on validation text, in nats a word."""
    places = np.arange(0, len(corpus.splits["valid"]) - CONTEXT, 20 if FEW_STEPS else 5)
    ids, targets = batch("valid", places)
    logits = jax.jit(model.apply)(variables, ids)
    return float(optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean())


dense = NextWord(nn.Embed(V, D))
start = dense.init(jax.random.key(0), jnp.zeros((1, CONTEXT), int))
variables, _ = fit(dense, start, 20 if FEW_STEPS else 1200, 3e-3)
before = loss_of(dense, variables)
sizes = {name: x.size for name, x in flatten_dict(variables["params"], sep=".").items()}
print(f"loss {before:.3f}; the table has {sizes['embed.embedding'] / sum(sizes.values()):.0%} of "
      f"{sum(sizes.values()):,} parameters")  # fmt: skip

# %% [markdown]
# ## Its folder
#
# As other programs lay them out: tensors by name, and a vocabulary.

# %%
(folder / "model").mkdir()
tensors = flatten_dict(jax.device_get(variables["params"]), sep=".")
save_file({name: np.asarray(x) for name, x in tensors.items()}, folder / "model/model.safetensors")
vocabulary = {word: i for i, word in enumerate(corpus.words)}
tokenizer = {"model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}}
(folder / "model/tokenizer.json").write_text(json.dumps(tokenizer))
print(*sorted(path.name for path in (folder / "model").iterdir()))

# %% [markdown]
# ## Find the table, and compress it
#
# `read_vectors` takes the folder, finds the table by its shape and name, and names its rows by
# the tokens. With weights the words that are read more often lose less.

# %%
vectors = read_vectors(str(folder / "model"))
print(*vectors.notes, sep="\n")
weights = np.sqrt(np.bincount(corpus.splits["train"], minlength=V) + 1.0)


def shrink(num_codebooks):
    """Codes of 16 codewords a codebook, half a byte for each codebook."""
    config = dccl.Config(num_steps=20 if FEW_STEPS else 600)
    config.refine.num_rounds = 1 if FEW_STEPS else 12
    return compress(vectors, num_codebooks, 16, weights=weights, config=config, show_progress=False)


codes = shrink(16)
table_bytes = vectors.rows.nbytes
print(f"{table_bytes:,} bytes became {codes.num_bytes():,}")
show(neighbours_section(vectors.rows, codes, ["string", "if", "module", "two"], 6))

# %% [markdown]
# ## In Flax
#
# `CodesEmbed` goes where `nn.Embed` was. All other parameters stay. The table is never made,
# neither for rows nor for logits.


# %%
def swap(codes):
    """The model with codes in the place of its table, and its variables."""
    compact = NextWord(CodesEmbed(codes, trainable=True))
    fresh = compact.init(jax.random.key(0), jnp.zeros((1, CONTEXT), int))
    params = {**variables["params"], "embed": fresh["params"]["embed"]}  # codebooks
    return compact, {"params": params, "codes": fresh["codes"]}  # codes, which nothing trains


compact, swapped = swap(codes)
print(f"loss {before:.3f} with the table, {loss_of(compact, swapped):.3f} with codes")

# %% [markdown]
# The codebooks are parameters, so a model can get used to its codes by some training at a low
# rate. Here are three sizes of codes, before and after 300 steps, beside the table, which has had
# 300 more steps too.

# %%
TUNE = 10 if FEW_STEPS else 300
longer = loss_of(dense, fit(dense, variables, TUNE, 1e-3)[0])
points, tuned = [], []
for some in [codes] if FEW_STEPS else [shrink(4), shrink(8), codes]:
    model, ready = swap(some)
    size = some.num_bytes() / 1e3
    points.append((size, loss_of(model, ready)))
    tuned.append((size, loss_of(model, fit(model, ready, TUNE, 1e-3)[0])))
curves = {
    "codes": Curve(points),
    "codes, after training on": Curve(tuned, colour="green"),
    f"the table, {table_bytes / 1e3:,.0f} kB": Curve(
        [(points[0][0], longer), (points[-1][0], longer)], "dashed", "ink"
    ),
}
chart = lines(Panel(curves, "", "kB of codes and codebooks", "validation loss"), 560, 300)
show(Section("", pictures=[Picture(to_svg(chart, "Loss with codes of three sizes"))]))

# %% [markdown]
# ## In PyTorch
#
# The same codes in `CodesEmbedding`, in the place of `torch.nn.Embedding`, with a head for the
# tied output. Its state is the small one: codes and codebooks.

# %%
if find_spec("torch"):
    import torch

    from jaxcompress.layers.torch import CodesEmbedding

    layer = CodesEmbedding(codes)
    ids = torch.arange(3)
    query = torch.randn(1, D)
    print(layer)
    print("rows as in NumPy:", np.allclose(layer(ids), codes.decode([0, 1, 2]), atol=1e-5))
    logits = query @ torch.from_numpy(codes.decode()).T
    print("logits as by the table:", torch.allclose(layer.head()(query), logits, atol=1e-3))
    state = sum(x.numel() * x.element_size() for x in layer.state_dict().values())
    print(f"state: {state:,} bytes; of the table: {table_bytes:,}")
else:
    print("PyTorch is not here; `pip install torch` shows this part.")

# %% [markdown]
# ## For any other framework
#
# `export_model` copies the folder, with decoded rows in the place of the table. The copy is as
# large as the model and loads wherever the model does: run your own evaluation on it, and you
# know what codes cost before you change a line of code.

# %%
exported = export_model(folder / "model", codes, folder / "decoded")
print("replaced:", *exported.tensors)
copy = load_file(folder / "decoded/model.safetensors")
table = []
for name, x in load_file(folder / "model/model.safetensors").items():
    kept = np.array_equal(x, copy[name])
    table.append([name, "×".join(map(str, x.shape)), "as it was" if kept else "decoded from codes"])
show(Section("", tables=[Table(["tensor", "shape", "in the copy"], table)]))
