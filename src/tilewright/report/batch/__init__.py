"""A batch as it is shown."""
