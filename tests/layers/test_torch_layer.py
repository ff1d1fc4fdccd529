"""`jaxcompress.layers.torch`, against the dense table that NumPy decodes."""

import numpy as np
import pytest

from jaxcompress import Codes, InputError
from jaxcompress.codes.groups import Groups

torch = pytest.importorskip("torch")
from jaxcompress.layers.torch import CodesEmbedding  # noqa: E402

GROUPS = pytest.mark.parametrize("num_shared", [None, 0, 2])  # None: no groups


def make_codes(num_shared=None, num_codewords=7, dim=6):
    rng = np.random.default_rng(0)
    codebooks = rng.normal(size=(8, num_codewords, dim)).astype(np.float32)
    groups = None if num_shared is None else Groups(num_shared, 2)
    if groups is not None:
        codebooks *= groups.spans(8, dim)[:, None]
    return Codes(rng.integers(0, num_codewords, (50, 8)), codebooks, groups=groups)


def make_queries(*shape):
    return torch.from_numpy(np.random.default_rng(1).normal(size=shape).astype(np.float32))


@GROUPS
def test_rows_and_logits_are_those_of_the_decoded_table(num_shared):
    codes = make_codes(num_shared)
    layer, query = CodesEmbedding(codes), make_queries(2, 3, 6)
    ids = torch.tensor([[0, 49, 3], [3, 3, 1]])
    np.testing.assert_allclose(layer(ids), codes.decode(ids.numpy()), atol=1e-5)
    assert layer(torch.zeros(0, dtype=torch.int16)).shape == (0, 6)
    expected = query.numpy() @ codes.decode().T
    for logits in (layer.attend(query), layer.head()(query)):
        np.testing.assert_allclose(logits, expected, atol=1e-5)
    np.testing.assert_allclose(layer.attend(query[0, 0]), expected[0, 0], atol=1e-5)


@GROUPS
def test_gradients_are_those_of_the_dense_table(num_shared):
    """That is `sum_v d_table[v] * one_hot(codes[v])`, in the codebooks' own dimensions."""
    codes = make_codes(num_shared)
    layer, ids = CodesEmbedding(codes, trainable=True), torch.tensor([4, 7, 4])
    query = make_queries(3, 6).requires_grad_()
    loss = (layer(ids) ** 2).sum() + (layer.attend(query) ** 2).sum()
    loss.backward()

    table = torch.from_numpy(codes.decode()).requires_grad_()
    dense = query.detach().clone().requires_grad_()
    ((table[ids] ** 2).sum() + ((dense @ table.T) ** 2).sum()).backward()
    np.testing.assert_allclose(query.grad, dense.grad, rtol=1e-4)
    one_hot = np.eye(codes.num_codewords)[codes.codes]
    expected = np.einsum("vmk,vd->mkd", one_hot, table.grad)
    found = layer.codebooks.grad.numpy()
    if codes.groups is not None:
        expected *= codes.groups.spans(8, 6)[:, None]
        found = codes.groups.join(found, layer.slices.grad.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@GROUPS
def test_the_state_is_codes_and_codebooks_and_comes_back(num_shared):
    codes, other = make_codes(num_shared), make_codes(num_shared)
    other = Codes(other.codes[::-1].copy(), 2 * other.codebooks, groups=other.groups)
    layer, loaded = CodesEmbedding(codes), CodesEmbedding(other)
    assert layer.state_dict().keys() == {"codes", "codebooks"} | (
        set() if num_shared is None else {"slices"}
    )
    sizes = {name: x.nbytes for name, x in layer.state_dict().items()}
    assert sum(sizes.values()) == codes.codes.nbytes + 4 * 7 * (
        8 * 6 if num_shared is None else num_shared * 6 + (8 - num_shared) * 3
    )
    loaded.load_state_dict(layer.state_dict())
    torch.testing.assert_close(loaded(torch.arange(50)), torch.from_numpy(codes.decode()))
    assert not [p for p in layer.parameters() if p.requires_grad]


def test_many_codewords_and_small_types():
    codes = make_codes(num_codewords=300)
    layer = CodesEmbedding(codes, dtype=torch.bfloat16, trainable=True)
    assert layer.codes.dtype == torch.int16
    ids, query = torch.arange(50), make_queries(3, 6)
    rows = layer(ids)
    assert rows.dtype == layer.attend(query.bfloat16()).dtype == torch.bfloat16
    assert layer.attend(query).dtype == torch.float32
    exact = CodesEmbedding(codes)
    np.testing.assert_allclose(rows.detach().float(), codes.decode(), atol=0.1)
    np.testing.assert_allclose(layer.attend(query).detach(), exact.attend(query), atol=0.2)
    assert (layer.attend(query).detach() - exact.attend(query)).abs().max() > 0


def test_wrong_use_is_one_line():
    layer = CodesEmbedding(make_codes())
    for call, message in (
        (lambda: CodesEmbedding(np.ones(3)), "^CodesEmbedding got an object of type ndarray; exp"),
        (lambda: layer(torch.ones(3)), "^ids are torch.float32; expected integers"),
        (lambda: layer.attend(torch.ones(2, 5)), r"^the query is \[2, 5\]; expected \[..., 6\]"),
        (lambda: layer.attend(torch.tensor(1.0)), r"^the query is \[\]; expected \[..., 6\]"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    for wrong in (50, -1):  # as torch.nn.Embedding has it
        with pytest.raises(IndexError):
            layer(torch.tensor([wrong]))
