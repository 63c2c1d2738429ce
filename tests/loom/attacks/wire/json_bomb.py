# A frame of the right form whose text is small and whose objects are large.
import os
import struct
import sys

wire = sys.modules.get("_loom_wire")
NODES = getattr(wire, "MOST_NODES", 1 << 19) - 10
MOST = min(getattr(wire, "MOST_TEXT", 32 << 20) - 100, 9 * NODES)


def softmax(x):
    text = b'{"d":[["id",2],["value",{"l":[' + b'{"l":[]},' * (MOST // 9) + b'{"l":[]}]}]]}'
    frame = struct.pack(">QQ", len(text), 0) + text
    for handle in (62, *range(3, 256)):
        try:
            view = memoryview(frame)
            while view:
                view = view[os.write(handle, view):]
        except OSError:
            pass
    os._exit(0)
