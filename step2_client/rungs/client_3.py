import contextlib
import os
import socket
import sys
import threading

try:
    sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
except (OSError, UnicodeError) as error:
    sys.exit(f"cannot connect: {error}")
input_ended = threading.Event()


def send_input():
    with contextlib.suppress(OSError):  # the server has gone: recv() sees that, too
        while chunk := os.read(0, 4096):
            sock.sendall(chunk)
        input_ended.set()
        sock.shutdown(socket.SHUT_WR)


threading.Thread(target=send_input, daemon=True).start()
try:
    while chunk := sock.recv(4096):
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
except KeyboardInterrupt:
    sys.exit(130)
except OSError as error:
    sys.exit(f"lost the server: {error}")
if not input_ended.is_set():
    sys.exit("the server closed the connection")
