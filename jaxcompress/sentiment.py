"""A classifier of texts, by which vectors are judged at work.

The task of Shu & Nakayama, "Compressing Word Embeddings via Deep Compositional Code Learning",
ICLR 2018, arXiv 1711.01068, section 5.2: an LSTM of 150 units reads a review word by word; a linear
layer tells its class. What gives words their vectors is an argument: see `token_embeddings.py`.

Axis letters: B texts, T tokens, D dimensions of a vector, H units, C classes.

Departures from the paper, which leaves these open: dropout is variational, one mask for a whole
text, of vectors and of the LSTM's outputs; forget gates start open.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxcompress.config import RunConfig, check_bounds
from jaxcompress.errors import InputError
from jaxcompress.lstm import LSTMState, LSTMWeights, lstm
from jaxcompress.optim import proximal_yogi
from jaxcompress.task import Task

FROM_SCRATCH = ("ant", "dense")
EMBEDDINGS = ("frozen", "finetune_codebooks", *FROM_SCRATCH)
POOLINGS = ("mean", "last")
_EPS = 1e-6  # of Yogi: a word's row has gradients so small that by the paper's 1e-3 it hardly moves


@dataclasses.dataclass(kw_only=True)
class DataConfig:
    source: str = "planted"  # "aclImdb", "tfds:NAME", a CSV file of text,label, or "planted"
    valid: str | None = None  # a CSV file too; None: `valid_texts` of the texts to train on
    test: str | None = None  # a CSV file, where the source is one
    valid_texts: int | None = None  # None: a tenth, at most 2,500
    max_tokens: int = 400  # a longer text is cut
    keep: str = "first"  # which of its tokens are kept: the "first" or the "last"
    max_vocab: int = 30_000  # words, by frequency, of an embedding that is learned from scratch
    tensor: str | None = None  # which matrix of vectors in a .safetensors file
    bucket_width: int = 50  # texts of a batch are padded to a multiple of so many tokens


@dataclasses.dataclass(kw_only=True)
class ModelConfig:
    hidden_size: int = 150  # H
    pooling: str = "mean"  # of the LSTM's outputs over a text's tokens; "last": its last output
    dropout: float = 0.3  # part of the vector's dimensions and of the LSTM's outputs
    dim: int = 100  # D of an embedding that is learned from scratch
    num_anchors: int = 50  # of embedding "ant"


@dataclasses.dataclass(kw_only=True)
class OptimizerConfig:
    learning_rate: float = 1e-3  # of Adam, and of Yogi for embedding "ant"; falls to 0 (cosine)
    clip_norm: float | None = 5.0  # global gradient norm; None: not clipped
    penalty: float = 3e-5  # of the L1 norm of embedding "ant"'s transform


@dataclasses.dataclass(kw_only=True)
class Config(RunConfig):
    """What `python -m train.sentiment` runs."""

    batch_size: int = 64  # texts
    steps_per_dispatch: int = 1  # batches differ in length
    num_epochs: float = 5.0  # where num_steps is None
    num_seeds: int = 1  # runs, of seeds `seed`, `seed + 1`, ...
    vectors: str | None = None  # what train.dccl reads, or codes; "stdlib"
    embedding: str = "frozen"  # "frozen"; "finetune_codebooks": codes fixed, codebooks trained;
    # from scratch: "ant": sparse mixes of anchors, "dense"
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)

    def check(self) -> None:
        super().check()
        check_bounds(
            self,
            at_least_1=("num_seeds", "data.valid_texts", "data.max_tokens", "data.bucket_width",
                        "model.hidden_size", "model.dim", "model.num_anchors"),
            at_least_0=("optimizer.penalty",),
            above_0=("num_epochs", "optimizer.learning_rate", "optimizer.clip_norm"),
            fractions=("model.dropout",),
            choices={"embedding": EMBEDDINGS, "model.pooling": POOLINGS,
                     "data.keep": ("first", "last")},
        )  # fmt: skip
        if self.data.max_vocab < 2:
            raise InputError(f"data.max_vocab is {self.data.max_vocab}; it must be at least 2.")
        if self.steps_per_dispatch != 1:
            raise InputError(
                f"steps_per_dispatch is {self.steps_per_dispatch}; it must be 1 here, since "
                "batches differ in length."
            )


class Embedding(NamedTuple):
    """What gives tokens their vectors: pure functions.

    Attributes:
        init: `key -> params`, `{}` where nothing is trained.
        apply: `params, tokens [B, T, ...] -> [B, T, D]`; `tokens` is `batch["tokens"]`.
        non_negative: whether `params["transform"]` is to be sparse and at least 0.
    """

    init: Callable[[jax.Array], dict]
    apply: Callable[[dict, jax.Array], jax.Array]
    non_negative: bool = False


class Classifier(nn.Module):
    """An LSTM over vectors, pooled over time, and a linear layer."""

    hidden_size: int
    num_classes: int
    pooling: str

    @nn.compact
    def __call__(self, vectors: jax.Array, lengths: jax.Array, mask: jax.Array) -> jax.Array:
        """Classifies texts.

        Args:
            vectors: [B, T, D]; what lies behind a text's end changes nothing.
            lengths: int [B], at least 1.
            mask: [B, H] or [B, 1]: what the LSTM's outputs are multiplied by.

        Returns:
            Logits [B, C].
        """
        (batch_size, time, dim), size = vectors.shape, self.hidden_size
        weights = LSTMWeights(
            self.param("lstm_inputs", nn.initializers.glorot_uniform(), (dim, 4 * size)),
            self.param("lstm_outputs", nn.initializers.orthogonal(), (size, 4 * size)),
            self.param("lstm_bias", _open_forget_gates, (4 * size,)),
        )
        zeros = jnp.zeros((batch_size, size))
        outputs, _ = lstm(weights, jnp.swapaxes(vectors, 0, 1), LSTMState(zeros, zeros), mask)
        if self.pooling == "last":
            pooled = outputs[lengths - 1, jnp.arange(batch_size)]
        else:
            valid = jnp.arange(time)[:, None] < lengths
            pooled = jnp.einsum("tbh,tb->bh", outputs, valid / lengths)
        return nn.Dense(self.num_classes, name="classifier")(pooled)


def _open_forget_gates(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """1 for forget gates, 0 for the others (Jozefowicz et al., 2015)."""
    return jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]), shape[0] // 4)


def make_task(config: ModelConfig, num_classes: int, embedding: Embedding, dim: int) -> Task:
    """Builds the functions of the method.

    Args:
        config: the model's.
        num_classes: C.
        embedding: what gives tokens their vectors.
        dim: D.
    """
    model = Classifier(config.hidden_size, num_classes, config.pooling)

    def init(key):
        keys = jax.random.split(key)
        ones = jnp.ones((1, 1))
        params = model.init(keys[0], jnp.zeros((1, 1, dim)), jnp.ones(1, int), ones)["params"]
        return {**params, "embedding": embedding.init(keys[1])}, {}

    def logits(params, batch, vector_mask, output_mask):
        vectors = embedding.apply(params["embedding"], batch["tokens"]) * vector_mask[:, None]
        return model.apply({"params": params}, vectors, batch["lengths"], output_mask)

    def loss(params, aux, carry, batch, step, key):
        masks = jnp.ones((2, 1, 1))
        if config.dropout:
            keys, keep = jax.random.split(key), 1 - config.dropout
            masks = [
                jax.random.bernoulli(k, keep, (len(batch["labels"]), size)) / keep
                for k, size in zip(keys, (dim, config.hidden_size), strict=True)
            ]
        found = logits(params, batch, *masks)
        losses = optax.softmax_cross_entropy_with_integer_labels(found, batch["labels"])
        right = found.argmax(axis=-1) == batch["labels"]
        return losses.mean(), (carry, {"accuracy": right.mean()})

    def evaluate(params, aux, carry, batch):
        found = logits(params, batch, *jnp.ones((2, 1, 1)))
        losses = optax.softmax_cross_entropy_with_integer_labels(found, batch["labels"])
        right = found.argmax(axis=-1) == batch["labels"]
        mask = batch["mask"]
        return carry, {
            "count": mask.sum(),
            "cross_entropy": jnp.where(mask, losses, 0).sum(),
            "accuracy": (mask & right).sum(),
        }

    return Task(init, loss, evaluate)


def make_optimizer(
    config: OptimizerConfig, num_steps: int, embedding: Embedding
) -> optax.GradientTransformation:
    """Adam at a rate that falls to 0; a transform is learned by proximal Yogi."""
    rate = optax.cosine_decay_schedule(config.learning_rate, num_steps)
    tx = optax.adam(rate)
    if embedding.non_negative:
        proximal = proximal_yogi(
            rate,
            lambda params: _by_name(params, config.penalty, None),
            non_negative=lambda params: _by_name(params, True, False),
            eps=_EPS,
            initial_nu=_EPS**2,
        )
        tx = optax.partition(
            {"embedding": proximal, "rest": tx},
            lambda params: {k: "embedding" if k == "embedding" else "rest" for k in params},
        )
    if config.clip_norm is None:
        return tx
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), tx)


def _by_name(params: Any, transform: Any, other: Any) -> Any:
    """One value for a pytree's transform, another for the rest."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: transform if path[-1].key == "transform" else other, params
    )
