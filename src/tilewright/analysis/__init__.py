"""What holds a kernel back, how far it is from the hardware's limit, and how long it should take."""
