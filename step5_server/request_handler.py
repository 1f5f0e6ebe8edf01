"""A request handler: each line is a request, and each request gets exactly one reply.

Subclasses add verbs: a shape in VERBS, and a do_VERB method.  First it checks, and raises
ProtocolError if something is wrong.  Then it changes what there is to change, queues what
others are to read, and calls ok() once.  It runs under the registry's lock, so a request is
one step: nobody sees it half done, and no other request's lines come between its own.
"""

from step1_echo.serving import log
from step3_protocol.protocol import ProtocolError, Request, format_line, parse_line
from step4_framing.framing import LineTooLong
from step5_server.handler import LineHandler


class RequestHandler(LineHandler):
    """Serve one connection, by step 3's rules: OK or ERR, once for each request."""

    VERBS: dict[str, str] = {}  # verb -> shape: what a peer may say, and nothing else

    def answer(self, line: bytes | LineTooLong) -> None:
        """Give one line its one reply.  Thread: holds the registry's lock."""
        self._replies = 0
        try:
            request = self.parse(line)
            if request is None:
                return  # an empty line
            self.do(request)
        except ProtocolError as error:
            self._reply(format_line("ERR", error.code, error.text))
        if self._replies != 1 and not self.outbox.ended:
            raise RuntimeError(f"{self._replies} replies to {line!r}")  # a bug of ours

    def parse(self, line: bytes | LineTooLong) -> Request | None:
        """Return the request, None for an empty line, and log its verb.  Raises: ProtocolError."""
        if isinstance(line, LineTooLong):
            raise ProtocolError("line-too-long", "at most 1024 bytes a line")
        request = parse_line(line, self.VERBS, logged_in=self.name != "")
        if request:
            log.info("%s: %s", self, request.verb)
        return request

    def do(self, request: Request) -> None:
        """Call the method of its verb: one that is not in VERBS has been refused by now."""
        getattr(self, "do_" + request.verb)(*request.args)

    def ok(self, text: str = "") -> None:
        """Reply OK: once in each do_* method, which raises ProtocolError otherwise."""
        self._reply(format_line("OK", text) if text else b"OK")

    def send(self, line: bytes) -> None:
        """Queue a line for our own peer."""
        self.conn.send(line)

    def send_to(self, member: LineHandler, line: bytes) -> None:
        """Queue a line for another member's peer."""
        self.conn.send_to(member.outbox, line)

    @staticmethod
    def last_line(code: str, text: str) -> bytes:
        """Return the line that a connection ends with when the server ends it."""
        return format_line("ERR", code, text)

    def _reply(self, line: bytes) -> None:
        """Send the one reply to this request, and count it."""
        self._replies += 1
        self.send(line)
