"""Word vectors made in seconds from the English that every CPython carries.

They are the quickstart's data: real words with real neighbours, and no download. Pairs of words
that stand near each other are counted, the counts become positive pointwise mutual information, and
a truncated SVD of it gives the vectors: Levy & Goldberg, "Neural Word Embedding as Implicit Matrix
Factorization", NIPS 2014.

Axis letters: V words, D dimensions.
"""

import re
from collections import Counter

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from jaxcompress.data.text.stdlib import STDLIB, stdlib_texts
from jaxcompress.data.vectors.files import Vectors

_WORD = re.compile(r"[a-z]{2,}")
_SMOOTHING = 0.75  # power of the counts of contexts, so that rare contexts do not rule


def stdlib_vectors(num_words: int = 5000, dim: int = 100, window: int = 8) -> Vectors:
    """Makes vectors of the most frequent words of the standard library's documentation.

    The same Python version gives the same vectors.

    Args:
        num_words: V at most; words are rows by falling frequency.
        dim: D at most.
        window: distance in words up to which two words are a pair; a pair counts 1/distance.

    Returns:
        float32 [V, D], with a mean row norm of about 1, and the words.
    """
    texts = [_WORD.findall(text.lower()) for text in stdlib_texts()]
    words = [w for w, _ in Counter(w for text in texts for w in text).most_common(num_words)]
    ppmi = _positive_pmi(_count_pairs(texts, words, window))
    start = np.ones(len(words)) / np.sqrt(len(words))  # the default is random
    u, s, _ = scipy.sparse.linalg.svds(ppmi, k=min(dim, len(words) - 1), v0=start)
    rows = u[:, ::-1] * np.sqrt(s[::-1])
    rows /= np.linalg.norm(rows, axis=1).mean()
    return Vectors(np.ascontiguousarray(rows, np.float32), words, source=STDLIB)


def _count_pairs(texts: list[list[str]], words: list[str], window: int) -> scipy.sparse.coo_matrix:
    """Counts how often two words stand near each other in a text, [V, V], symmetric."""
    ids, shape = {word: i for i, word in enumerate(words)}, (len(words), len(words))
    gap = [-1] * window  # between texts, so that no pair spans two of them
    stream = np.concatenate(
        [np.array([ids.get(word, -1) for word in text] + gap, np.int64) for text in texts]
    )
    counts = scipy.sparse.csr_matrix(shape)
    for distance in range(1, window + 1):
        left, right = stream[:-distance], stream[distance:]
        both = (left >= 0) & (right >= 0)
        ones = np.full(both.sum(), 1 / distance)
        counts += scipy.sparse.coo_matrix((ones, (left[both], right[both])), shape).tocsr()
    return (counts + counts.T).tocoo()


def _positive_pmi(counts: scipy.sparse.coo_matrix) -> scipy.sparse.csr_matrix:
    """Computes max(0, log(p(w, c) / (p(w) p(c)^0.75))) of words w and contexts c, [V, V]."""
    by_word = np.asarray(counts.sum(axis=1)).ravel()
    by_context = by_word**_SMOOTHING
    by_context /= by_context.sum()
    pmi = np.log(counts.data / (by_word[counts.row] * by_context[counts.col]))
    kept = pmi > 0
    return scipy.sparse.csr_matrix((pmi[kept], (counts.row[kept], counts.col[kept])), counts.shape)
