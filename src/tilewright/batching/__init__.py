"""Many kernels under one budget: which ones, whose turn it is, what they share, what came of it."""
