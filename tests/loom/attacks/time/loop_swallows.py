# An endless loop that swallows every exception.
def softmax(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
