"""Letter sequences of titles and makers, hashed: likeness that needs no language, no model and nobody's history."""

import re
from collections import Counter
from collections.abc import Sequence
from zlib import crc32

import numpy as np
import scipy.sparse as sp

LENGTHS = (3, 4, 5)
WIDTH = 2**14


def letters(texts: Sequence[str]) -> sp.csr_matrix:
    """Unit vectors over letter sequences of 3 to 5 within words, shape (texts, WIDTH); the same text, the same row.

    A row depends on its own text alone, so an entry that came in a minute ago has one too.
    """
    counts = [_sequences(text) for text in texts]
    rows = np.repeat(np.arange(len(texts)), [len(count) for count in counts])
    columns = np.array([column for count in counts for column in count], dtype=np.int64)
    values = np.sqrt(np.array([times for count in counts for times in count.values()], dtype=np.float64))
    matrix = sp.csr_matrix((values, (rows, columns)), shape=(len(texts), WIDTH))
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags(1 / np.maximum(length, 1e-12)) @ matrix)


def _sequences(text: str) -> Counter[int]:
    words = (f" {word} ".encode() for word in re.findall(r"\w{3,}", text.casefold()))
    return Counter(crc32(w[k : k + n]) % WIDTH for w in words for n in LENGTHS for k in range(len(w) - n + 1))
