"""Measurements of tilewright itself: results with their raw samples, and the tables made from them."""
