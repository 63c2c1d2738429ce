# Destructors and collector callbacks that end the process at the worst moment.
import gc
import os


class Mine:
    def __del__(self):
        os._exit(0)


gc.callbacks.append(lambda phase, info: os._exit(0) if phase == "stop" else None)
gc.set_threshold(1, 1, 1)


def softmax(x):
    Mine()
    return x * 0
