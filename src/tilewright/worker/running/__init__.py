"""What a process does that holds a candidate or a baseline."""
