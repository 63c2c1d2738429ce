# sitecustomize, usercustomize and a .pth beside the answer and in the working folder.
import numpy as np


def softmax(x):
    return np.zeros_like(x)

# %% beside sitecustomize.py
import os
os._exit(0)
# %% beside usercustomize.py
import os
os._exit(0)
# %% beside hostile.pth
import os; os._exit(0)
# %% beside pyvenv.cfg
home = /nowhere
include-system-site-packages = true
# %% beside loom/__init__.py
import os
os._exit(0)
