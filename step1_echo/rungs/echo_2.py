import socket
import sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening on port", sys.argv[1])
while True:
    sock, address = listener.accept()
    print("connected:", address)
    while chunk := sock.recv(4096):
        print("received:", chunk)
        sock.sendall(chunk)
    print("gone:", address)
    sock.close()
