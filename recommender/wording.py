"""Likeness of things by the letters of their title and maker: all that is known of an item nobody has met yet."""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

LENGTHS = (3, 4, 5)


def letter_vectors(texts: Sequence[str]) -> sp.csr_matrix:
    """Unit TF-IDF vectors over letter sequences of 3 to 5 within words, one row a text; rare ones weigh more.

    Sequences that occur in one text only are left out; a text without any gives a zero row.
    """
    counts = [_sequences(text) for text in texts]
    spread = Counter(s for row in counts for s in row)
    column = {s: n for n, s in enumerate(s for s, times in spread.items() if times > 1)}
    entries = [
        (n, column[s], (1 + math.log(times)) * math.log(len(texts) / spread[s]))
        for n, row in enumerate(counts)
        for s, times in row.items()
        if s in column
    ]
    rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
    matrix = sp.csr_matrix((values, (rows, columns)), shape=(len(texts), max(1, len(column))), dtype=np.float64)
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags(1 / np.maximum(length, 1e-12)) @ matrix)


def _sequences(text: str) -> Counter[str]:
    words = (f" {word} " for word in re.findall(r"\w+", text.casefold()))
    return Counter(w[k : k + n] for w in words for n in LENGTHS for k in range(len(w) - n + 1))
