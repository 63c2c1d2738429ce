"""scratchlm.data"""
