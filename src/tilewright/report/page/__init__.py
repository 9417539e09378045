"""The parts of a run's page: HTML and SVG, made without a library and escaped where they are made."""
