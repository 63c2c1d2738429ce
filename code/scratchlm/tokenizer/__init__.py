"""scratchlm.tokenizer"""
