"""Checks that throw a candidate out before it costs GPU time."""
