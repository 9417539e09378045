"""How many times faster than its baselines a candidate is, and how far that can be trusted."""
