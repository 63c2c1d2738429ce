# Dtypes with fields, titles, overlaps and offsets of megabytes.
import numpy as np


def softmax(x):
    return np.zeros(x.shape, dtype={"names": ["a", "b"], "formats": ["f8", "O"],
                                    "offsets": [0, 8], "itemsize": 1 << 20})
