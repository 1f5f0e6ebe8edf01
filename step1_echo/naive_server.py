"""An echo server from the raw socket calls.  WRONG ON PURPOSE: one client at a time.

While it talks to one client nobody else is accepted: server.py gives each client a
thread.  The six calls below are what every TCP server does, in this order.
"""

import socket

HOST, PORT = "127.0.0.1", 9000
CHUNK_BYTES = 65536


def main():
    """Echo for one client after the other, for ever."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)  # IPv4, TCP
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, PORT))  # this address is ours now
    listener.listen()  # the kernel may complete connections for us
    print(f"listening on {HOST}:{PORT}", flush=True)
    while True:
        sock, address = listener.accept()  # one client's own socket
        with sock:
            while chunk := sock.recv(CHUNK_BYTES):  # b"" is EOF: the client is done
                sock.sendall(chunk)


if __name__ == "__main__":
    main()
