"""The report's views of all runs of a store, in a browser, while runs go on. Nothing is changed from there."""
