"""A correct echo server, one thread and a selector: python echo_selectors.py PORT"""

import selectors
import socket
import sys

MAX_WAITING_BYTES = 100_000  # for one client; then we read no more from it

selector = selectors.DefaultSelector()
waiting = {}  # socket -> what it has not been sent back yet
at_eof = set()


def accept(listener):
    sock, _ = listener.accept()
    sock.setblocking(False)
    waiting[sock] = bytearray()
    selector.register(sock, selectors.EVENT_READ)


def serve(sock, events):
    if events & selectors.EVENT_READ:
        chunk = sock.recv(3000)
        waiting[sock] += chunk
        if not chunk:
            at_eof.add(sock)
    if waiting[sock]:
        try:
            del waiting[sock][: sock.send(waiting[sock])]
        except BlockingIOError:
            pass
    if sock in at_eof and not waiting[sock]:
        return close(sock)
    wanted = selectors.EVENT_WRITE if waiting[sock] else 0
    if sock not in at_eof and len(waiting[sock]) < MAX_WAITING_BYTES:
        wanted |= selectors.EVENT_READ
    selector.modify(sock, wanted)


def close(sock):
    selector.unregister(sock)
    waiting.pop(sock)
    at_eof.discard(sock)
    sock.close()


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=100)
selector.register(listener, selectors.EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is listener:
            accept(listener)
            continue
        try:
            serve(key.fileobj, events)
        except OSError:
            close(key.fileobj)
