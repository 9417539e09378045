"""Which kernels and techniques to show: retrieval over kernels that were made fast before."""
