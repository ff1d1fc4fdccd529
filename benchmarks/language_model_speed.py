"""Training tokens/s of the untied baseline, ours and PyTorch's in turn; and what REAL costs.

Command:  python benchmarks/language_model_speed.py --hidden_size 200

A 2-layer LSTM, 10,000 words, batch 20, unroll 35, SGD, gradients clipped, no dropout; compilation
is left out on our side. PyTorch runs `torch.nn.LSTM`, `cross_entropy` and `SGD` on tensors in
memory. Each line is a round; the last lines are medians.
"""

import argparse
import time

import jax
import numpy as np
import torch

from jaxcompress import tying
from jaxcompress.data.text.lanes import as_stream, training_lanes
from jaxcompress.engine.job import Job
from jaxcompress.engine.loop import init_state, stack
from jaxcompress.engine.steps import make_engine
from jaxcompress.tying.task import make_optimizer, make_task

torch.set_num_threads(2)
NUM_WORDS, BATCH, UNROLL = 10_000, 20, 35


def our_trainer(variant, hidden_size, tokens, num_steps):
    """Returns a function that takes `num_steps` steps, in one dispatch."""
    config = tying.Config(
        batch_size=BATCH,
        model=tying.with_variant(tying.ModelConfig(hidden_size=hidden_size, dropout=0.0), variant),
    )
    stream, splits = as_stream({"train": tokens}, 0)
    task = make_task(config.model, NUM_WORDS, 1_000)
    tx = make_optimizer(config.optimizer, 1_000)
    feed = training_lanes(splits["train"], BATCH, UNROLL)
    engine = make_engine("jit", BATCH, task, tx, feed.gather)
    job = Job(task, tx, engine, engine.place_data(stream), feed, {}, config, 1_000, "")
    state, step = engine.place_state(init_state(job)), 0

    def take():
        nonlocal state, step
        index = stack([feed.index(s) for s in range(step, step + num_steps)])
        state, metrics = engine.train(state, job.data, index, jax.random.key(0))
        step += num_steps
        jax.block_until_ready(metrics)

    return take


class TorchModel(torch.nn.Module):
    """Embedding, LSTM, classifier."""

    def __init__(self, hidden_size):
        super().__init__()
        self.embedding = torch.nn.Embedding(NUM_WORDS, hidden_size)
        self.lstm = torch.nn.LSTM(hidden_size, hidden_size, 2)
        self.classifier = torch.nn.Linear(hidden_size, NUM_WORDS)

    def forward(self, inputs, state):
        outputs, state = self.lstm(self.embedding(inputs), state)
        return self.classifier(outputs), state


def their_trainer(hidden_size, tokens, num_steps):
    model = TorchModel(hidden_size)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    lanes = torch.from_numpy(tokens[: len(tokens) // BATCH * BATCH].astype(np.int64))
    lanes = lanes.view(BATCH, -1).t().contiguous()
    state, step = tuple(torch.zeros(2, 2, BATCH, hidden_size)), 0

    def take():
        nonlocal state, step
        for _ in range(num_steps):
            at = step * UNROLL % (len(lanes) - UNROLL - 1)
            state = tuple(part.detach() for part in state)
            optimizer.zero_grad()
            logits, state = model(lanes[at : at + UNROLL], state)
            targets = lanes[at + 1 : at + 1 + UNROLL].reshape(-1)
            torch.nn.functional.cross_entropy(logits.view(-1, NUM_WORDS), targets).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            step += 1

    return take


def tokens_per_second(take, num_steps):
    started = time.perf_counter()
    take()
    return num_steps * BATCH * UNROLL / (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden_size", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=20, help="steps of one measurement")
    flags = parser.parse_args()
    tokens = np.random.default_rng(0).integers(0, NUM_WORDS, 200_000)
    sides = {
        name: our_trainer(name, flags.hidden_size, tokens, flags.steps)
        for name in ("baseline", "re", "al", "real")
    }
    sides["PyTorch"] = their_trainer(flags.hidden_size, tokens, flags.steps)
    for take in sides.values():
        take()
    rounds = []
    for _ in range(flags.rounds):
        rounds.append({name: tokens_per_second(take, flags.steps) for name, take in sides.items()})
        print("  ".join(f"{name} {value:7,.0f}" for name, value in rounds[-1].items()), flush=True)
    print(f"2 x {flags.hidden_size}, tokens/s, medians: " + ", ".join(
        f"{name} {np.median([r[name] for r in rounds]):,.0f}" for name in sides))  # fmt: skip
    for one, other in (("baseline", "PyTorch"), ("re", "real"), ("baseline", "al")):
        ratio = np.median([r[one] / r[other] for r in rounds])
        print(f"{one} / {other}, median of ratios: {ratio:.2f}")


if __name__ == "__main__":
    main()
