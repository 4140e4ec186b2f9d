"""`sparsedm study`: every method on one model and one data set, with the same budget, over several seeds."""
