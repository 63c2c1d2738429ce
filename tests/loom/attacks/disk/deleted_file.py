# A file that has no name any more, held open by a daemon.
import os
import time


def softmax(x):
    file = open("hostile-held", "wb")  # noqa: SIM115
    os.unlink("hostile-held")
    file.write(b"\1" * (8 << 20))
    if os.fork() == 0:
        os.setsid()
        time.sleep(3600)
    return x * 0
