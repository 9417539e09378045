"""The search: which parent to grow from, what to try, what to keep, when to stop."""
