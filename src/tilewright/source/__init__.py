"""What can be read from and changed in a kernel's source, byte for byte: knobs, their feasibility, migration."""
