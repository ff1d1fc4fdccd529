"""An LSTM layer over a whole sequence, made for truncated backpropagation.

Hochreiter & Schmidhuber, "Long Short-Term Memory", 1997, with forget gates (Gers, Schmidhuber &
Cummins, "Learning to Forget", 2000). Only what depends on the step before lies in a scan: the
products of inputs and input weights are made before it, the gradients of weights after it, as one
matrix product each. Without the gradient written here, jax adds up the gradient of each weight step
by step.

Axis letters: B batch, T time, D input units, H output units.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# Steps in one turn of a scan. An H100 would launch 622 kernels for a step of a language model of 2
# layers, and 2,778 for one of the classifier; with 1 it would be 1,140 and 5,658; with 20, which
# takes far longer to compile, 642 and 2,258.
_UNROLL = 5


class LSTMWeights(NamedTuple):
    """Weights of one layer; their 4H columns are gates: input, forget, cell, output, H each.

    Attributes:
        inputs: W float32 [D, 4H], for the inputs of the step.
        outputs: U float32 [H, 4H], for the outputs of the step before.
        bias: b float32 [4H].
    """

    inputs: jax.Array
    outputs: jax.Array
    bias: jax.Array


class LSTMState(NamedTuple):
    """What a layer carries from one sequence to the next.

    Attributes:
        output: h float32 [B, H], not masked.
        cell: c float32 [B, H].
    """

    output: jax.Array
    cell: jax.Array


@jax.custom_vjp
def lstm(
    weights: LSTMWeights, inputs: jax.Array, state: LSTMState, mask: jax.Array
) -> tuple[jax.Array, LSTMState]:
    """Runs a layer over a sequence.

    At each step, from x, h and c to the next h and c::

        i, f, g, o = x W + (h * mask) U + b
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)

    >>> weights = LSTMWeights(jnp.zeros((1, 4)), jnp.zeros((1, 4)), jnp.zeros(4))
    >>> start = LSTMState(jnp.zeros((1, 1)), jnp.ones((1, 1)))
    >>> _, after = lstm(weights, jnp.zeros((3, 1, 1)), start, jnp.ones((1, 1)))
    >>> float(after.cell[0, 0])  # sigmoid(0) ** 3
    0.125

    Args:
        weights: W, U and b.
        inputs: x float32 [T, B, D].
        state: h and c after the sequence before.
        mask: [B, H] or [B, 1], by which an output is multiplied on its way to the next step and to
            the next layer. For variational dropout: one mask for the whole sequence and both ways.
            No gradient flows to it.

    Returns:
        The masked outputs [T, B, H], and the state after the sequence, whose output is not masked.
    """
    return _forward(weights, inputs, state, mask)[0]


def _forward(weights, inputs, state, mask):
    """Computes what `lstm` returns, and what `_backward` needs.

    That is the arguments, and of each step the outputs before the mask [T, B, H], the cells
    [T, B, H] and the gates [T, B, 4H].
    """
    from_inputs = jnp.einsum("tbd,dg->tbg", inputs, weights.inputs) + weights.bias

    def step(before, from_input):
        output, cell = before
        gates = from_input + (output * mask) @ weights.outputs
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
        cell = f * cell + i * g
        output = o * jnp.tanh(cell)
        return LSTMState(output, cell), (output, cell, jnp.concatenate([i, f, g, o], axis=-1))

    after, (outputs, cells, gates) = jax.lax.scan(step, state, from_inputs, unroll=_UNROLL)
    return (outputs * mask, after), (weights, inputs, state, mask, outputs, cells, gates)


def _backward(saved, cotangents):
    """Computes the gradients of `lstm`'s arguments.

    A scan from the last step to the first makes those of the gates, then one product each makes
    those of the weights and the inputs. The mask's is zero.
    """
    weights, inputs, state, mask, outputs, cells, gates = saved
    d_outputs, d_after = cotangents
    cells_before = jnp.concatenate([state.cell[None], cells[:-1]])
    outputs_before = jnp.concatenate([state.output[None], outputs[:-1]])

    def step(d_state, at_step):
        d_output, gates, cell, cell_before = at_step
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        tanh_cell = jnp.tanh(cell)
        d_output = d_output * mask + d_state.output
        d_cell = d_state.cell + d_output * o * (1 - tanh_cell**2)
        d_gates = jnp.concatenate(
            [
                d_cell * g * i * (1 - i),
                d_cell * cell_before * f * (1 - f),
                d_cell * i * (1 - g**2),
                d_output * tanh_cell * o * (1 - o),
            ],
            axis=-1,
        )
        before = LSTMState((d_gates @ weights.outputs.T) * mask, d_cell * f)
        return before, d_gates

    d_before, d_gates = jax.lax.scan(
        step, d_after, (d_outputs, gates, cells, cells_before), reverse=True, unroll=_UNROLL
    )
    d_weights = LSTMWeights(
        jnp.einsum("tbd,tbg->dg", inputs, d_gates),
        jnp.einsum("tbh,tbg->hg", outputs_before * mask, d_gates),
        d_gates.sum((0, 1)),
    )
    d_inputs = jnp.einsum("tbg,dg->tbd", d_gates, weights.inputs)
    return d_weights, d_inputs, d_before, jnp.zeros_like(mask)


lstm.defvjp(_forward, _backward)
