"""Training speed of the classifier in reviews/s: ours and PyTorch's in turn, on the same batches.

Command:  python benchmarks/classifier_speed.py --vectors FILE

Frozen vectors, an LSTM of 150 units, the mean of its outputs, Adam, batches of 64, no dropout.
PyTorch packs the sequences (`pack_padded_sequence`), so that it computes no padding, or pads and
masks them, which lets it take oneDNN's fused LSTM. In a round, each side passes once over the same
`--batches` batches of reviews; our compilation is left out. A line is printed for each round, then
the medians.
"""

import time

import data
import jax
import numpy as np
import torch
from torch.nn.utils import rnn

from jaxcompress import classifier
from jaxcompress.classifier.corpus import read_corpus
from jaxcompress.classifier.prepare import prepare
from jaxcompress.data.vectors.files import read_vectors
from jaxcompress.engine.loop import init_state, stack

torch.set_num_threads(2)


def our_trainer(problem, batches):
    job = problem.job
    state, key = job.engine.place_state(init_state(job)), jax.random.key(0)

    def take():
        nonlocal state
        for index in batches:
            state, metrics = job.engine.train(state, job.data, stack([index]), key)
        jax.block_until_ready(metrics)

    return take


class TorchClassifier(torch.nn.Module):
    """Frozen vectors, an LSTM, the mean of its outputs over a text, a linear layer."""

    def __init__(self, rows, num_units, num_classes, packed):
        super().__init__()
        self.packed = packed
        self.embedding = torch.nn.Embedding.from_pretrained(torch.from_numpy(rows))
        self.lstm = torch.nn.LSTM(rows.shape[1], num_units, batch_first=True)
        self.classifier = torch.nn.Linear(num_units, num_classes)

    def forward(self, ids, lengths):
        vectors = self.embedding(ids)
        if self.packed:
            packed = rnn.pack_padded_sequence(
                vectors, lengths, batch_first=True, enforce_sorted=False
            )
            outputs, _ = rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        else:
            valid = torch.arange(ids.shape[1]) < lengths[:, None]
            outputs = self.lstm(vectors)[0] * valid[..., None]
        return self.classifier(outputs.sum(dim=1) / lengths[:, None])


def their_trainer(problem, batches, rows, packed):
    with_unknown = np.vstack([rows, np.zeros((1, rows.shape[1]))]).astype(np.float32)
    config = problem.config
    model = TorchClassifier(with_unknown, config.model.hidden_size, 2, packed)
    optimizer = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], lr=config.optimizer.learning_rate
    )
    tokens = np.asarray(problem.job.data["tokens"])
    made = []
    for index in batches:
        longest = index["lengths"].max()  # no bucket's padding
        ids = tokens[np.minimum(index["positions"][:, :longest], len(tokens) - 1)]
        made.append([torch.from_numpy(np.asarray(x, np.int64))
                     for x in (ids, index["lengths"], index["labels"])])  # fmt: skip

    def take():
        for ids, lengths, labels in made:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(ids, lengths), labels).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.optimizer.clip_norm)
            optimizer.step()

    return take


def main():
    parser = data.parser(__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=40, help="batches in a round")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is timed")
    flags = parser.parse_args()
    config = classifier.Config(
        vectors=flags.vectors,
        data=classifier.DataConfig(source="aclImdb"),
        model=classifier.ModelConfig(dropout=0.0),
    )
    vectors = read_vectors(flags.vectors)
    problem = prepare(read_corpus(config), vectors, config)
    feed = problem.job.feed
    batches = [feed.index(step) for step in range(flags.batches)]
    tokens = sum(int(index["lengths"].sum()) for index in batches)
    padded = sum(index["positions"].size for index in batches)
    print(f"{tokens:,} tokens; {padded / tokens:.2f} times as many with our padding")
    sides = {
        "ours": our_trainer(problem, batches),
        "PyTorch, packed": their_trainer(problem, batches, np.asarray(vectors.rows), True),
        "PyTorch, padded": their_trainer(problem, batches, np.asarray(vectors.rows), False),
    }
    for take in sides.values():
        take()
    speeds = {name: [] for name in sides}
    for _ in range(flags.rounds):
        for name, take in sides.items():
            started = time.perf_counter()
            take()
            seconds = time.perf_counter() - started
            speeds[name].append(config.batch_size * flags.batches / seconds)
        print("  ".join(f"{name} {found[-1]:6,.1f}" for name, found in speeds.items()), flush=True)
    ours = speeds.pop("ours")
    print(f"ours: median {np.median(ours):,.1f} reviews/s")
    for name, theirs in speeds.items():
        ratio = np.median(np.divide(ours, theirs))
        print(f"{name}: median {np.median(theirs):,.1f} reviews/s; ours is {ratio:.2f} times that")


if __name__ == "__main__":
    main()
