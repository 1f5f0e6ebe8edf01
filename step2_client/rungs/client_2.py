import os
import socket
import sys
import threading

sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))


def send_input():
    while chunk := os.read(0, 4096):
        sock.sendall(chunk)
    sock.shutdown(socket.SHUT_WR)


threading.Thread(target=send_input, daemon=True).start()
while chunk := sock.recv(4096):
    sys.stdout.buffer.write(chunk)
    sys.stdout.flush()
