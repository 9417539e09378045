"""What does a kernel, or a forward, do? Read from its source, for the rewrites beside this folder."""
