"""What a candidate's process may see and use, and that nothing of it survives."""
