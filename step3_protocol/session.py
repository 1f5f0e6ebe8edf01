"""One client's side of the conversation, with nobody else there yet.  No socket here.

Steps 3 and 4 serve this same session; what differs is how bytes become lines.
"""

from step3_protocol.protocol import VERBS, ProtocolError, check_name, check_text, format_line, parse_line


class Session:
    """Answer one client's lines; the only user that it knows is this client."""

    verbs = VERBS  # a subclass may know more, and has a do_VERB for each

    def __init__(self) -> None:
        self.name = ""  # set by LOGIN
        self.over = False  # set by LOGOUT: the server should close the connection

    def answer(self, line: bytes) -> list[bytes]:
        """Return the lines to send back for one line: the reply, after any event."""
        try:
            request = parse_line(line, self.verbs, logged_in=self.name != "")
            if request is None:
                return []
            replies: list[bytes] = getattr(self, "do_" + request.verb)(*request.args)
            return replies
        except ProtocolError as error:
            return [format_line("ERR", error.code, error.text)]

    def do_LOGIN(self, name: str) -> list[bytes]:
        if self.name:
            raise ProtocolError("already-logged-in", f"you are {self.name}")
        self.name = check_name(name)
        return [format_line("OK", f"welcome, {name}")]

    def do_MSG(self, name: str, text: str) -> list[bytes]:
        check_text(text)
        # SIMPLIFIED: nobody else is here; step 5 looks the name up among all users.
        if name.lower() != self.name.lower():
            raise ProtocolError("no-such-user", "nobody has that name")
        return [format_line("MSG", self.name, text), b"OK"]

    def do_LOGOUT(self) -> list[bytes]:
        self.over = True
        return [b"OK bye"]

    def do_HELP(self) -> list[bytes]:
        return [format_line("OK", " ".join(self.verbs))]
