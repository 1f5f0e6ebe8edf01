import socketserver
import sys


class EchoHandler(socketserver.BaseRequestHandler):
    def handle(self):
        print("connected:", self.client_address)
        while chunk := self.request.recv(4096):
            self.request.sendall(chunk)
        print("gone:", self.client_address)


class EchoServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True  # a restart gets its port back at once
    daemon_threads = True  # Ctrl-C does not wait for the clients
    request_queue_size = 100  # so many may wait to be accepted


with EchoServer(("127.0.0.1", int(sys.argv[1])), EchoHandler) as server:
    print("listening on port", sys.argv[1])
    server.serve_forever()
