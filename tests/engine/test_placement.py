import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from jaxcompress.data.batches import gather_rows
from jaxcompress.engine.mapper import make_mapper
from jaxcompress.engine.placement import _by_rows, _store_by_rows

TABLE = np.arange(15, dtype=np.float32).reshape(5, 3)


def test_a_table_is_stored_anew_with_the_same_rows():
    mapper = make_mapper(gather_rows)
    placed = mapper.place_data(TABLE)
    everywhere = placed.sharding
    assert _by_rows(everywhere, 3).layout.major_to_minor == (0, 1, 2)
    stored = _store_by_rows(everywhere, 2)(placed)
    assert stored.format.layout.major_to_minor == (0, 1)
    assert stored.sharding == everywhere
    np.testing.assert_array_equal(stored, TABLE)
    index = {"ids": np.array([3, 1], np.int32), "mask": np.ones(2, bool)}
    found = mapper.map(lambda state, batch: batch["rows"] + state, jnp.zeros(()), stored, index)
    np.testing.assert_array_equal(found, TABLE[[3, 1]])


def test_shapes_are_placed_and_lowered_as_arrays_are():
    struct = jax.ShapeDtypeStruct
    mapper = make_mapper(gather_rows, jax.devices()[:1])
    data = mapper.place_data(struct((5, 3), jnp.float16))
    index = {"ids": struct((2,), jnp.int32), "mask": struct((2,), bool)}
    index = mapper.place_batch(index)
    assert data.sharding.spec == PartitionSpec()
    assert index["ids"].sharding == mapper.split
    program = mapper.compile(lambda state, batch: batch["rows"]).lower((), data, index)
    assert (program.out_info.shape, program.out_info.dtype) == ((2, 3), jnp.float32)
