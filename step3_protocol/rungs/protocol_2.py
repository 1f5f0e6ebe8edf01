import sys

VERBS = {"LOGIN": "name", "MSG": "name text", "LOGOUT": "", "HELP": ""}
BEFORE_LOGIN = ("LOGIN", "LOGOUT", "HELP")


class ProtocolError(Exception):
    def __init__(self, code, text):
        self.code = code
        self.text = text


def parse_line(line, verbs=VERBS, logged_in=True):
    if not line:
        return None
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise ProtocolError("bad-encoding", "this is not UTF-8")
    verb, space, rest = text.partition(" ")
    if verb.isascii():
        verb = verb.upper()
    if verb not in verbs:
        raise ProtocolError("unknown-command", "HELP lists the commands")
    if not logged_in and verb not in BEFORE_LOGIN:
        raise ProtocolError("not-logged-in", "LOGIN <name> first")
    shape = verbs[verb].split()
    cuts = len(shape) - 1 if "text" in shape else -1
    args = rest.split(" ", cuts) if space else []
    if len(args) != len(shape):
        raise ProtocolError("bad-arguments", f"{verb} takes: {verbs[verb] or 'nothing'}")
    return verb, tuple(args)


if __name__ == "__main__":
    for line in sys.stdin.buffer:
        try:
            print(parse_line(line.rstrip(b"\n")))
        except ProtocolError as error:
            print("ERR", error.code, error.text)
