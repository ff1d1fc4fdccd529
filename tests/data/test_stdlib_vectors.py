"""The vectors that are made without a download."""

import numpy as np

from jaxcompress.data.vectors.stdlib import stdlib_vectors


def test_the_embedded_vectors_are_words_with_sensible_neighbours_always_the_same():
    vectors = stdlib_vectors(num_words=2000, dim=50)
    again = stdlib_vectors(num_words=2000, dim=50)
    assert vectors.rows.shape == (2000, 50)
    assert vectors.rows.dtype == np.float32
    assert len(set(vectors.words)) == 2000
    np.testing.assert_array_equal(vectors.rows, again.rows)
    unit = vectors.rows / np.linalg.norm(vectors.rows, axis=1, keepdims=True)
    for word, neighbour in (("socket", "sock"), ("thread", "threads"), ("red", "blue")):
        cosines = unit @ unit[vectors.words.index(word)]
        nearest = [vectors.words[i] for i in np.argsort(-cosines)[1:6]]
        assert neighbour in nearest
