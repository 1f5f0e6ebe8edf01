import socket
import sys
import threading

sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))


def listen():
    for line in sock.makefile(encoding="utf-8"):
        print(line, end="", flush=True)


threading.Thread(target=listen, daemon=True).start()
for line in sys.stdin:
    sock.sendall(line.encode())
