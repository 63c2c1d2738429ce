# A daemon through the shell: nohup, setsid, disowned, at import.
# needs: namespaces
import subprocess

subprocess.Popen(["/bin/sh", "-c", "exec nohup setsid sleep 3600 >/dev/null 2>&1 &"],
                 start_new_session=True, close_fds=False)


def softmax(x):
    return x * 0
