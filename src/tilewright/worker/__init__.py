"""The processes in which candidates run, and the one that judges them. Linux only; nothing outside imports fork."""
