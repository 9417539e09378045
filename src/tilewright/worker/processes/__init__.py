"""Where the processes that hold candidates come from, and how the verifier speaks to one."""
