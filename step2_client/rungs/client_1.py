import socket
import sys

sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for line in sys.stdin:
    sock.sendall(line.encode())
    chunk = sock.recv(4096)
    print(chunk.decode(), end="", flush=True)
