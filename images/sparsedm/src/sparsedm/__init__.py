"""Sparse (N:M) fine-tuning of diffusion models, after SparseDM (arXiv 2404.10445)."""

__version__ = "0.1.0"
