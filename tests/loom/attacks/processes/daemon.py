# A daemon in a session of its own, which outlives the group's end.
# expects: any
import os
import time

import numpy as np


def softmax(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            for handle in range(256):
                try:
                    os.close(handle)
                except OSError:
                    pass
            time.sleep(3600)
        os._exit(0)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
