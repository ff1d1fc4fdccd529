"""Training ratings/s of Anchor & Transform, ours and PyTorch's in turn: the same equations.

Command:  python benchmarks/ratings_speed.py

ML-1M, 20 anchors a side, 16 dimensions, batch 1024, Yogi and the proximal step over all rows of
both transforms. PyTorch runs over tensors in memory, without a DataLoader, with in-place updates.
Compilation is left out on our side. Each line is a round; the last one is of medians.
"""

import argparse
import time

import jax
import numpy as np
import torch

from jaxcompress import ant
from jaxcompress.ant.prepare import prepare
from jaxcompress.data.ratings.read import read_ratings
from jaxcompress.engine.loop import init_state, stack

torch.set_num_threads(2)
RATE, PENALTY, B1, B2, EPS = 0.01, 2e-6, 0.9, 0.999, 1e-3


def our_trainer(ratings, num_anchors, batch_size, num_steps):
    config = ant.Config(
        batch_size=batch_size,
        num_steps=1_000_000,
        eval_every=100_000,
        model=ant.ModelConfig(user_anchors=num_anchors, item_anchors=num_anchors),
        penalty=ant.PenaltyConfig(transform=PENALTY),
    )
    job = prepare(ratings, config).job
    state, step, key = job.engine.place_state(init_state(job)), 0, jax.random.key(0)

    def take():
        nonlocal state, step
        for _ in range(num_steps // 100):
            index = stack([job.feed.index(s) for s in range(step, step + 100)])
            state, metrics = job.engine.train(state, job.data, index, key)
            step += 100
        jax.block_until_ready(metrics)

    return take


def their_trainer(ratings, num_anchors, batch_size, num_steps):
    generator = torch.Generator().manual_seed(0)
    users, items = (torch.from_numpy(x.astype(np.int64)) for x in (ratings.users, ratings.items))
    values = torch.from_numpy(ratings.values)

    def table(num_rows):
        transform = 0.1 * torch.randn(num_rows, num_anchors, generator=generator).abs()
        return transform, 0.5 * torch.randn(num_anchors, 16, generator=generator)

    params = [*table(len(ratings.user_ids)), *table(len(ratings.item_ids)), values.mean()]
    for p in params:
        p.requires_grad_()
    moments = [(torch.zeros_like(p), torch.full_like(p, 1e-6)) for p in params]
    order, count = torch.randperm(len(values), generator=generator), 0

    def take():
        nonlocal count
        for _ in range(num_steps):
            first = count * batch_size % (len(order) - batch_size)
            ids, count = order[first : first + batch_size], count + 1
            t_u, a_u, t_i, a_i, bias = params
            predicted = ((t_u[users[ids]] @ a_u) * (t_i[items[ids]] @ a_i)).sum(1) + bias
            loss = ((predicted - values[ids]) ** 2).mean()
            gradients = torch.autograd.grad(loss, params)
            rate = RATE * (1 - B2**count) ** 0.5 / (1 - B1**count)
            with torch.no_grad():
                for i, (p, g, (mu, nu)) in enumerate(zip(params, gradients, moments, strict=True)):
                    mu.mul_(B1).add_(g, alpha=1 - B1)
                    square = g * g
                    nu.addcmul_(torch.sign(nu - square), square, value=B2 - 1)
                    step = rate / (nu.sqrt() + EPS)
                    p.addcmul_(step, mu, value=-1)
                    if i in (0, 2):
                        p.sub_(step, alpha=PENALTY).clamp_(min=0)

    return take


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", default="ml-1m")
    parser.add_argument("--num_anchors", type=int, default=20)
    parser.add_argument("--batch_size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=1000, help="of one measurement")
    flags = parser.parse_args()
    arguments = (read_ratings(flags.path), flags.num_anchors, flags.batch_size, flags.steps)
    ours, theirs, speeds = our_trainer(*arguments), their_trainer(*arguments), []
    ours(), theirs()
    for _ in range(flags.rounds):
        seconds = []
        for take in (ours, theirs):
            time.sleep(0.5)  # until the other side's threads have stopped to wait for work
            started = time.perf_counter()
            take()
            seconds.append(time.perf_counter() - started)
        speeds.append([flags.steps * flags.batch_size / s for s in seconds])
        print("ours {:9,.0f} ratings/s, PyTorch {:9,.0f}".format(*speeds[-1]), flush=True)
    ours, theirs = np.median(speeds, axis=0)
    ratio = np.median([a / b for a, b in speeds])
    print(f"medians: ours {ours:,.0f}, PyTorch {theirs:,.0f}, median of ratios {ratio:.2f}")


if __name__ == "__main__":
    main()
