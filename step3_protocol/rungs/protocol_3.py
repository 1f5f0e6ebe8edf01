import re
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


def format_line(*words):
    line = " ".join(words)
    if not words or "" in words or "\n" in line or "\r" in line:
        raise ValueError(f"cannot be one line: {words}")
    if any(" " in word for word in words[:-1]):
        raise ValueError(f"only the last word may have spaces: {words}")
    return line.encode()


def check_name(name):
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_-]{0,19}", name):
        raise ProtocolError("bad-name", "a letter first, then letters, digits, _ or -, at most 20")
    return name


def check_text(text):
    if not text.strip(" ") or re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", text):
        raise ProtocolError("bad-text", "no empty text, no control characters but tab")
    return text


if __name__ == "__main__":
    for line in sys.stdin.buffer:
        try:
            print(parse_line(line.rstrip(b"\n")))
        except ProtocolError as error:
            print("ERR", error.code, error.text)
