"""Where a candidate is scored: on this machine's GPU, on none, on rented ones, or from a record."""
