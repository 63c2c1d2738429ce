"""scratchlm.corpus"""
