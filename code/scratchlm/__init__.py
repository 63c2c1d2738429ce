"""scratchlm: the language model that the book builds.

Every module here is tangled from the cells of the book's chapters. Edit the
chapters and run `loom tangle`, or edit here and run `loom sync`.
"""
