"""loom: from chapters to a tested package, an HTML book and a PDF book."""

__version__ = "0.1.0"
