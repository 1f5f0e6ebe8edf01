"""What the tests of accounts share: clients that make accounts and log in."""

import base64

from tests.irc_wire import short
from tests.sasl_client import ScramClient, chunks, plain

PASSWORD = "sesame"


def register(irc, *names, password=PASSWORD):
    """Make accounts, before the welcome, and leave."""
    for name in names:
        wire = irc.wire()
        assert short(wire.ask(f"NICK {name}", f"REGISTER * * {password}")[0]).startswith(f"REGISTER SUCCESS {name} ")
        wire.send("QUIT")
        wire.goodbye()


def login(wire, name, password=PASSWORD, mechanism="PLAIN", authzid=""):
    """Log in with SASL; return the numerics that come, 900 and so on."""
    if mechanism == "PLAIN":
        return codes(
            wire, "AUTHENTICATE PLAIN", *(f"AUTHENTICATE {chunk}" for chunk in chunks(plain(name, password, authzid)))
        )
    client = ScramClient(name, password, authzid)
    challenge = said(wire, "AUTHENTICATE SCRAM-SHA-256", *(f"AUTHENTICATE {chunk}" for chunk in chunks(client.first())))
    got = wire.ask(*(f"AUTHENTICATE {chunk}" for chunk in chunks(client.final(challenge))))
    if got[0].command == "AUTHENTICATE":
        client.check(decode(got))
        got = wire.ask("AUTHENTICATE +")
    return [message.command for message in got if message.command.isdigit()]


def codes(wire, *lines):
    return [message.command for message in wire.ask(*lines) if message.command.isdigit()]


def said(wire, *lines):
    """Return the message of the mechanism that comes after its first, empty one."""
    return decode([message for message in wire.ask(*lines) if message.command == "AUTHENTICATE"][1:])


def decode(got):
    return base64.b64decode(
        "".join(message.text for message in got if message.command == "AUTHENTICATE" and message.text != "+")
    )


def client(irc, nick, account="", caps="", channel="", password=PASSWORD):
    """Connect, log in, and register; return the wire."""
    wire = irc.wire()
    wire.nick = nick
    wire.ask("CAP LS 302", f"CAP REQ :sasl {caps}", f"NICK {nick}", f"USER {nick[:9]} 0 * :Real {nick}")
    assert login(wire, account or nick, password) == ["900", "903"]
    wire.send("CAP END")
    wire.welcome = wire.read_until("376", "422")
    if channel:
        wire.ask(f"JOIN {channel}")
    return wire
