"""Whether a candidate computes what the reference computes."""
