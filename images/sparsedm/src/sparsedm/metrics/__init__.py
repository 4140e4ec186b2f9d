"""Figures of quality: the Frechet distance and the features that it compares."""
