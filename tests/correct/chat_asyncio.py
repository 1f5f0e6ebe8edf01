"""A correct chat server, with asyncio: python chat_asyncio.py PORT

It is chatty in its replies, slow to start, and writes in small pieces: all of that it may.
"""

import asyncio
import re
import sys
import time

MAX_WAITING_BYTES = 8_000_000  # for one user; then it is too slow
users = {}  # lower-case name -> (name, writer)


class Refused(Exception):
    pass


async def lines(reader):
    """Yield each line as bytes, or None for one that is too long."""
    data, skipping = b"", False
    while chunk := await reader.read(1000):
        data += chunk
        *whole, data = data.split(b"\n")
        for line in whole:
            line = line.removesuffix(b"\r")
            if skipping or len(line) > 1024:
                yield None
            else:
                yield line
            skipping = False
        if len(data) > 1025:
            data, skipping = b"", True


class User:
    def __init__(self, writer):
        self.writer, self.name = writer, None

    def send(self, text, writer=None):
        writer = writer or self.writer
        data = text.encode() + b"\n"
        if writer.transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            writer.transport.abort()
        elif not writer.is_closing():
            writer.write(data[:1])
            writer.write(data[1:])

    def answer(self, line):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise Refused("bad-encoding UTF-8, please!")
        verb, _, rest = text.partition(" ")
        verb = verb.upper()
        if self.name is None and verb == "MSG":
            raise Refused("not-logged-in who are you?")
        if verb == "LOGIN":
            if not rest or " " in rest:
                raise Refused("bad-arguments")
            if self.name:
                raise Refused("already-logged-in")
            if not re.fullmatch("[a-zA-Z][a-zA-Z0-9_-]{0,19}", rest):
                raise Refused("bad-name that is no name")
            if rest.lower() in users:
                raise Refused("name-taken by somebody else")
            self.name = rest
            users[rest.lower()] = self
            return "OK nice to meet you"
        if verb == "MSG":
            name, _space, text = rest.partition(" ")
            if not name or not text:
                raise Refused("bad-arguments MSG name text")
            if not text.strip(" ") or re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", text):
                raise Refused("bad-text")
            if name.lower() not in users:
                raise Refused(f"no-such-user {name}?")
            users[name.lower()].send(f"MSG {self.name} {text}")
            return "OK it is on its way"
        if verb in ("LOGOUT", "HELP"):
            if rest:
                raise Refused("bad-arguments")
            return "OK good night" if verb == "LOGOUT" else "OK I know: HELP, LOGIN <name>, LOGOUT, MSG <name> <text>."
        raise Refused(f"unknown-command {verb[:20].encode('ascii', 'replace').decode()}")

    async def serve(self, reader):
        async for line in lines(reader):
            if line == b"":
                continue
            try:
                if line is None:
                    raise Refused("line-too-long")
                reply = self.answer(line)
            except Refused as error:
                reply = f"ERR {error}"
            if reply == "OK good night":
                self.forget()
            self.send(reply)
            if reply == "OK good night":
                return

    def forget(self):
        if self.name and users.get(self.name.lower()) is self:
            del users[self.name.lower()]


async def serve(reader, writer):
    user = User(writer)
    try:
        await user.serve(reader)
    except ConnectionError:
        pass
    finally:
        user.forget()
        writer.close()


async def main():
    print("give me a second ...", flush=True)
    time.sleep(1)  # noqa: ASYNC251 (nothing is there yet that this could hold up)
    server = await asyncio.start_server(serve, "localhost", int(sys.argv[1]))
    async with server:
        await server.serve_forever()


asyncio.run(main())
