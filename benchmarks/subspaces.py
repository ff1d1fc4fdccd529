"""Does the classifier come to span what the embedding spans? Section 6.2 of Inan et al.

Command:  python benchmarks/subspaces.py --path ptb

The paper's theory says that with the augmented loss alone the classifier's columns span what the
embedding's do, and so gives a reason to reuse the embedding. As in its section 6.2: 20,000 tokens,
300 units, a fixed random embedding of unit rows, nothing dropped, and
(1 - beta) J + beta tau^2 |V| J_aug as the loss; at beta 1 the cross-entropy J has no part. The
distance is the share of the classifier's column space that lies outside of the embedding's, from 0,
the same, to 1.

Ours: the classifier starts at zero, so that all it spans is learned, and is trained by SGD, which
unlike Adam leaves its steps in the span of the gradients. Directions of singular values below
--cut times the largest are left out: those that hidden states hardly ever take, along which nothing
is learned. The table goes to OUT.md, the picture to OUT.png; figures in OUT.json are not made anew.
"""

import argparse
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcompress import tying
from jaxcompress.data.text.corpus import read_corpus
from jaxcompress.data.text.lanes import as_stream, training_lanes
from jaxcompress.engine.job import Job
from jaxcompress.engine.loop import init_state, stack
from jaxcompress.engine.page.charts import Curve, Panel, lines, save_png
from jaxcompress.engine.page.markdown import markdown_table
from jaxcompress.engine.steps import make_engine
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.tying.task import make_task

TOKENS, UNITS, LANES, UNROLL, TAU = 20_000, 300, 20, 35, 10.0
PER_DISPATCH = 20
FIXED = 10**6  # epochs that the embedding is not trained: more than there are


def train_tables(path, beta, num_steps, seed=0):
    """Embedding and classifier [V, D] after training at a beta."""
    corpus = read_corpus(path)
    found, ids = np.unique(corpus.splits["train"][:TOKENS], return_inverse=True)
    stream, splits = as_stream({"train": ids.astype(np.int32)}, 0)
    embedding = np.random.default_rng(seed).normal(size=(len(found), UNITS)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    # alpha J_aug against J: alpha = beta tau^2 |V| / (1 - beta), and gamma = alpha / tau.
    gamma = 1e6 if beta == 1 else beta * TAU * len(found) / (1 - beta)
    config = tying.ModelConfig(
        hidden_size=UNITS, dropout=0.0, augmented_loss=beta > 0, gamma=gamma, temperature=TAU,
        frozen_epochs=FIXED,
    )  # fmt: skip
    feed = training_lanes(splits["train"], LANES, UNROLL)
    task = make_task(config, len(found), 28, embedding, np.ones(len(found), bool))
    rate = optax.cosine_decay_schedule(0.1, num_steps)
    tx = optax.chain(optax.clip_by_global_norm(5.0), optax.sgd(rate, momentum=0.9))
    engine = make_engine("jit", LANES, task, tx, feed.gather)
    run = tying.Config(batch_size=LANES, model=config, seed=seed)
    job = Job(task, tx, engine, engine.place_data(stream), feed, {}, run, num_steps, "")
    state = init_state(job)
    zero = jnp.zeros_like(state.params["classifier"])
    state = engine.place_state(state.replace(params={**state.params, "classifier": zero}))
    for first in range(0, num_steps, PER_DISPATCH):
        index = stack([feed.index(step) for step in range(first, first + PER_DISPATCH)])
        state, _ = engine.train(state, job.data, index, jax.random.key(seed))
    return np.asarray(state.params["embedding"]), np.asarray(state.params["classifier"])


def subspace_distance(embedding, classifier, cut):
    """From 0 (the same) to 1: the part of the classifier's column space outside the embedding's.

    Directions whose singular value is below `cut` times the largest are left out.
    """
    span = np.linalg.qr(embedding)[0]
    directions, values, _ = np.linalg.svd(classifier, full_matrices=False)
    directions = directions[:, values > cut * values[0]]
    outside = directions - span @ (span.T @ directions)
    return float(np.linalg.norm(outside) / np.sqrt(directions.shape[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", default="ptb", help="folder of the text")
    parser.add_argument("--betas", default="0,0.25,0.5,0.75,1")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--cut", type=float, default=0.02)
    parser.add_argument("--out", default="out/subspaces")
    flags = parser.parse_args()
    out, kept = Path(flags.out), {}
    out.parent.mkdir(parents=True, exist_ok=True)
    file = out.with_suffix(".json")
    settings = f"{flags.path}, {flags.steps} steps"
    if file.exists():
        kept = json.loads(file.read_text())
    rows = []
    for beta in map(float, flags.betas.split(",")):
        key = f"{settings}, beta {beta:g}"
        if key not in kept:
            print(f"{key} ...", file=sys.stderr, flush=True)
            tables = train_tables(flags.path, beta, flags.steps)
            kept[key] = [subspace_distance(*tables, cut) for cut in (flags.cut, 0.0)]
            with atomic_write(file) as partial:
                partial.write_text(json.dumps(kept, indent=1))
        rows.append((beta, *kept[key]))
    rows.sort()
    head = ["beta", "distance", "of all directions"]
    cells = [[f"{b:g}", f"{d:.3f}", f"{a:.3f}"] for b, d, a in rows]
    text = "\n".join(markdown_table(head, cells))
    with atomic_write(out.with_suffix(".md")) as partial:
        partial.write_text(text + "\n")
    print(text)
    curves = {"directions that are used": Curve([(b, d) for b, d, _ in rows]),
              "all directions": Curve([(b, a) for b, _, a in rows], "dashed")}  # fmt: skip
    label = "outside of the embedding's span"
    save_png(lines(Panel(curves, "", "beta", label), 520, 320), out.with_suffix(".png"))


if __name__ == "__main__":
    main()
