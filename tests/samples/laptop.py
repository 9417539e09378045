"""The command line where nothing can be compiled or run: laptop.py PLATFORM ARGUMENT...

What such systems lack is taken away as in other_system.py, but after Modal's client and what it needs was loaded.
"""

import socket
import sys
import urllib.request  # noqa: F401

import modal  # noqa: F401
from other_system import become, command_line

if __name__ == "__main__":
    unix = socket.AF_UNIX
    become(sys.argv[1])
    socket.AF_UNIX = unix  # this system's asyncio, on which Modal's client stands, needs it
    command_line(*sys.argv[2:])
