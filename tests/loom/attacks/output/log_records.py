# Floods through logging, warnings and a thousand exceptions in threads.
# output: cut
import logging
import threading
import warnings


def fail():
    raise RuntimeError("passed " * 100)


def softmax(x):
    for number in range(1000):
        logging.getLogger().error("passed %s", "x" * 100)
        warnings.warn(f"passed {number}", stacklevel=1)
        threading.Thread(target=fail).start()
    return x * 0
