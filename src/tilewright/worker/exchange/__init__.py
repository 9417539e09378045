"""How messages, tensors and a beginning get from one process to another."""
