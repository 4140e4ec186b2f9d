"""Quality metrics: the Frechet distance and the features that it compares."""
