"""Solution: a bot, which serves tea."""

import argparse
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.irc.message import MAX_LINE_BYTES, Message, format_message, parse_message
from step4_framing.framing import LineBuffer


class Bot:
    """A bot without a socket: lines in, lines out, both without CR LF.

    It says NICK and USER, answers each PING, and takes another nick if its own is in use (433).  When it
    is welcome (001), it joins its channel; if it is kicked, it comes back.  To a PRIVMSG `!tea` it
    answers `a cup of tea for alice`: in the channel, or in private if it was asked there.  A bot's answer
    is a NOTICE, and no NOTICE is answered.
    """

    def __init__(self, nick: str, channel: str):
        self.nick, self.channel = nick, channel

    def hello(self) -> list[bytes]:
        """Return the lines with which the bot registers."""
        return [format_message("NICK", self.nick), format_message("USER", "bot", "0", "*", text="a bot")]

    def hear(self, line: bytes) -> list[bytes]:
        """Return the answer to a line of the server: nearly always none."""
        message = parse_message(line)
        return self.answer(message) if message else []

    def answer(self, message: Message) -> list[bytes]:
        """Return the answer to a message."""
        _tags, source, command, params = message
        if command == "PING":
            return [format_message("PONG", text=params[-1])]
        if command == "433":
            self.nick += "_"
            return [format_message("NICK", self.nick)]
        if command == "001":
            self.nick = params[0]  # the server knows best
            return [format_message("JOIN", self.channel)]
        if command == "NICK" and source.partition("!")[0] == self.nick:
            self.nick = params[0]
        elif command == "KICK" and params[1] == self.nick:
            return [format_message("JOIN", params[0])]
        elif command == "PRIVMSG" and params[1] == "!tea":
            who = source.partition("!")[0]
            target = params[0] if params[0].startswith(("#", "&")) else who
            return [format_message("NOTICE", target, text=f"a cup of tea for {who}")]
        return []


def run(bot: Bot, address: tuple[str, int]) -> None:
    """Let the bot live on a server, until that ends the connection.  Blocks: so long."""
    lines = LineBuffer(MAX_LINE_BYTES)
    with socket.create_connection(address) as sock:
        answers = bot.hello()
        while True:
            sock.sendall(b"".join(answer + b"\r\n" for answer in answers))
            while (line := lines.next_line()) is None:
                if not (chunk := sock.recv(4096)):
                    return
                lines.feed(chunk.replace(b"\r", b""))
            answers = bot.hear(line)


if __name__ == "__main__":
    flags = argparse.ArgumentParser(description="A bot that serves tea.")
    flags.add_argument("--host", default="127.0.0.1")
    flags.add_argument("--port", type=int, default=6667)
    flags.add_argument("--nick", default="teapot")
    flags.add_argument("--channel", default="#tea")
    args = flags.parse_args()
    try:
        run(Bot(args.nick, args.channel), (args.host, args.port))
    except KeyboardInterrupt:
        pass
