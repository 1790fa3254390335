"""A service manager in small: holds a listening socket, runs the server on it, and again whenever it has ended.

Usage: manager.py PORT SERVER. Says `started PID` for each server. Ends the last one when its own input ends.
"""

import os
import signal
import socket
import subprocess
import sys
import threading

BACKLOG = 4096
# The server finds the socket as its third descriptor, and its own process id, which only it knows.
BECOME_SERVER = 'exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0"'


def main(port, server):
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=BACKLOG)
    child = None

    def end():
        sys.stdin.read()
        os.kill(child.pid, signal.SIGKILL)
        os._exit(0)

    while True:
        child = subprocess.Popen(["sh", "-c", BECOME_SERVER, server], stdin=listener)
        print("started", child.pid, flush=True)
        if threading.active_count() == 1:
            threading.Thread(target=end, daemon=True).start()
        if child.wait() != 0:
            sys.exit(f"the server ended with {child.returncode}")


main(*sys.argv[1:])
