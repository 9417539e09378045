"""What a language model is told, in words: records in, text out. Asks nobody and imports no model.

What a candidate said or wrote is fenced (`tilewright.lm.fenced`), so that it stays text.
"""
