# An endless loop at the top of the file.
while True:
    pass
