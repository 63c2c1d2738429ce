# Sets every PYTHON* variable that a later interpreter would obey.
import os

os.environ.update({
    "PYTHONPATH": os.getcwd(), "PYTHONSTARTUP": "hostile.py", "PYTHONHOME": "/nowhere",
    "PYTHONINSPECT": "1", "PYTHONBREAKPOINT": "os._exit", "PYTHONUSERBASE": os.getcwd(),
    "PYTHONWARNINGS": "error", "LD_PRELOAD": "/nowhere.so", "PATH": os.getcwd(),
    "BASH_ENV": "hostile.sh", "TMPDIR": "/nowhere", "HOME": "/nowhere"})


def softmax(x):
    return x * 0
