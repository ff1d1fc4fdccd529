"""Word vectors made in seconds from the English that every CPython carries.

Counts of words that stand near each other, positive pointwise mutual information, a truncated
SVD: Levy & Goldberg, "Neural Word Embedding as Implicit Matrix Factorization", 2014. They are the
quickstart's data: real words with real neighbours, and no download.
"""

import re
from collections import Counter

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from jaxcompress.data.text.stdlib import SOURCE, texts
from jaxcompress.data.vectors.files import Vectors

_WORD = re.compile(r"[a-z]{2,}")


def stdlib_vectors(num_words: int = 5000, dim: int = 100, window: int = 8) -> Vectors:
    """Makes vectors of the most frequent words of the standard library's documentation.

    Args:
        num_words: at most so many rows, by falling frequency.
        dim: D.
        window: how far apart two words may stand to be counted, weighed by 1/distance.

    Returns:
        float32 [num_words, D], scaled to a mean row norm of about 1.
    """
    found = [_WORD.findall(text.lower()) for text in texts()]
    words = [w for w, _ in Counter(w for text in found for w in text).most_common(num_words)]
    ids = {word: i for i, word in enumerate(words)}
    stream = np.concatenate(
        [np.array([ids.get(w, -1) for w in text] + [-1] * window, np.int64) for text in found]
    )
    counts = scipy.sparse.csr_matrix((len(words), len(words)))
    for distance in range(1, window + 1):
        left, right = stream[:-distance], stream[distance:]
        both = (left >= 0) & (right >= 0)
        ones = np.full(both.sum(), 1 / distance)
        shape = (len(words), len(words))
        counts += scipy.sparse.coo_matrix((ones, (left[both], right[both])), shape).tocsr()
    ppmi = _positive_pmi((counts + counts.T).tocoo())
    start = np.ones(len(words)) / np.sqrt(len(words))  # the default is random
    u, s, _ = scipy.sparse.linalg.svds(ppmi, k=min(dim, len(words) - 1), v0=start)
    rows = u[:, ::-1] * np.sqrt(s[::-1])
    rows /= np.linalg.norm(rows, axis=1).mean()
    return Vectors(np.ascontiguousarray(rows, np.float32), words, source=SOURCE)


def _positive_pmi(counts: scipy.sparse.coo_matrix) -> scipy.sparse.csr_matrix:
    """max(0, log(p(w, c) / (p(w) p(c)^0.75))): smoothing keeps rare contexts from ruling."""
    by_word = np.asarray(counts.sum(axis=1)).ravel()
    by_context = by_word**0.75
    by_context /= by_context.sum()
    pmi = np.log(counts.data / (by_word[counts.row] * by_context[counts.col]))
    kept = pmi > 0
    return scipy.sparse.csr_matrix((pmi[kept], (counts.row[kept], counts.col[kept])), counts.shape)
