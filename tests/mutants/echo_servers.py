"""Echo servers, each wrong in one way: python echo_servers.py NAME PORT"""

import os
import socket
import socketserver
import struct
import sys
import threading

from catalogue import Catalogue

from step1_echo.server import CHUNK_BYTES, EchoHandler, EchoServer
from step1_echo.serving import run

ECHO_SERVERS = Catalogue()
caught_by = ECHO_SERVERS.caught_by


class Mutant(EchoHandler):
    """An echo server; what is echoed for each chunk, a subclass may change."""

    def handle(self):
        while chunk := self.request.recv(CHUNK_BYTES):
            self.request.sendall(self.change(chunk))

    def change(self, chunk):
        return chunk


@caught_by("test_the_same_bytes_come_back")
class StripsTheLineEnd(Mutant):
    """It takes the white space off both ends, and puts a newline there."""

    def change(self, chunk):
        return chunk.strip() + b"\n"


@caught_by("test_the_same_bytes_come_back")
class LeavesOutWhatIsNotText(Mutant):
    """It decodes, and ignores what is not UTF-8."""

    def change(self, chunk):
        return chunk.decode(errors="ignore").encode()


@caught_by("test_the_same_bytes_come_back")
class Greets(Mutant):
    """It says hello first."""

    def setup(self):
        self.request.sendall(b"hello\n")


@caught_by("test_the_same_bytes_come_back")
class StopsAtNul(Mutant):
    """It treats bytes as a C string."""

    def change(self, chunk):
        return chunk.partition(b"\0")[0]


@caught_by("test_bytes_come_back_before_a_line_ends")
class WaitsForALine(socketserver.StreamRequestHandler):
    """It reads lines."""

    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)


@caught_by("test_bytes_come_back_before_a_line_ends")
class WaitsForTheEnd(socketserver.StreamRequestHandler):
    """It reads all before it answers."""

    def handle(self):
        self.wfile.write(self.rfile.read())


@caught_by("test_many_messages_on_one_connection")
class AnswersOnce(Mutant):
    """It takes one recv() for the whole conversation."""

    def handle(self):
        self.request.sendall(self.request.recv(CHUNK_BYTES))


@caught_by("test_after_a_half_close_everything_is_echoed_then_eof")
class NeverCloses(Mutant):
    """It does not end the connection when its client has ended its side."""

    def handle(self):
        super().handle()
        threading.Event().wait()


@caught_by("test_after_a_half_close_everything_is_echoed_then_eof")
class ResetsAtTheEnd(Mutant):
    """It holds the last chunk back, and at EOF ends the connection without it."""

    def handle(self):
        held = b""
        while chunk := self.request.recv(CHUNK_BYTES):
            self.request.sendall(held)
            held = chunk if len(chunk) > 1000 else b""
            self.request.sendall(b"" if held else chunk)


@caught_by("test_after_a_half_close_everything_is_echoed_then_eof")
class ResetsInPlaceOfAnEof(Mutant):
    """It echoes all, and ends the connection with a reset: on a slow way that destroys what is not read yet."""

    def handle(self):
        super().handle()
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()


@caught_by("test_a_client_that_reads_late_gets_everything")
class IgnoresWhatSendReturns(Mutant):
    """It calls send(), which may take only a part."""

    def handle(self):
        self.request.setblocking(False)
        while True:
            try:
                chunk = self.request.recv(CHUNK_BYTES)
            except BlockingIOError:
                self.request.setblocking(True)
                chunk = self.request.recv(1)
                self.request.setblocking(False)
            if not chunk:
                break
            try:
                self.request.send(chunk)
            except BlockingIOError:
                pass


@caught_by("test_megabytes_come_back")
class DropsPartOfBigChunks(Mutant):
    """It has a buffer of 32,768 bytes, and forgets the rest of a bigger chunk."""

    def handle(self):
        while chunk := self.request.recv(CHUNK_BYTES):
            self.request.sendall(chunk[:32768])


@caught_by("test_many_clients_are_served_at_once")
class OneClientAtATime(Mutant):
    """It has one thread for all, which stays with a client until the end."""

    server_class = type("OneAtATime", (EchoServer,), {"process_request": socketserver.BaseServer.process_request})


@caught_by("test_nobody_gets_what_another_sent")
class SendsToAll(Mutant):
    """It echoes to every client."""

    sockets = []  # it is wrong to share it: that is the mutant

    def handle(self):
        self.sockets.append(self.request)
        while chunk := self.request.recv(CHUNK_BYTES):
            for sock in self.sockets:
                try:
                    sock.sendall(chunk)
                except OSError:
                    pass


@caught_by("test_a_client_that_does_not_read_keeps_nobody_waiting")
class OneLockForAll(Mutant):
    """It holds a lock while it sends."""

    lock = threading.Lock()

    def handle(self):
        while chunk := self.request.recv(CHUNK_BYTES):
            with self.lock:
                self.request.sendall(chunk)


@caught_by("test_a_reset_harms_nobody_else")
class DiesOfAReset(Mutant):
    """It does not catch the error of a connection that was reset, and ends."""

    def handle(self):
        try:
            super().handle()
        except OSError:
            os._exit(1)


def main():
    mutant = ECHO_SERVERS[sys.argv[1]]
    server_class = getattr(mutant, "server_class", EchoServer)
    server_class = type("Server", (server_class,), {"handler_class": mutant})
    return run(server_class(("127.0.0.1", int(sys.argv[2]))))


if __name__ == "__main__":
    sys.exit(main())
