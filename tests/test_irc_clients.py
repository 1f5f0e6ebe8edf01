"""Real IRC clients: irssi in a terminal of tmux, WeeChat through its pipe.

In CI they may not be missing; elsewhere the tests then skip.
"""

import contextlib
import os
import re
import shutil
import subprocess
import threading
import time
import uuid
from pathlib import Path

import pytest

from extras.irc.handler import IrcHandler
from extras.irc.server import IrcServer
from tests.chapter import ROOT, fences
from tests.irc_wire import IrcWire, short
from tests.servers import running

DEADLINE_S = 20  # for each single wait: a client may be slow to start

IRSSI_CONFIG = """
settings = {
  core = { real_name = "Alice"; user_name = "alice"; nick = "alice"; };
  "fe-common/core" = {
    autocreate_windows = "no"; use_status_window = "no"; use_msgs_window = "no"; autocreate_own_query = "no";
    autocreate_query_level = "NONE"; timestamps = "no";
  };
  "irc/core" = { cmd_queue_speed = "10msec"; cmds_max_at_once = "100"; };
};
"""


def need(*programs: str) -> None:
    """Skip where a program is missing; in CI that is a failure."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"CI needs {', '.join(missing)}: apt-get install irssi weechat-headless tmux")
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")


class WatchedHandler(IrcHandler):
    """A handler that notes each error that it tells its client."""

    def reply(self, numeric, *values):
        if numeric.code[0] in "45":
            self.server.errors.append((self.user.nick, numeric.code, *values))
        super().reply(numeric, *values)


class WatchedServer(IrcServer):
    handler_class = WatchedHandler

    def __init__(self, *args, **settings):
        self.errors: list[tuple] = []
        super().__init__(*args, **settings)


def wait_for(what: str, look):
    """Look again and again until there is something; give it."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < deadline, f"never came: {what}"
        threading.Event().wait(0.05)
    return found


class Tmux:
    """A program in a terminal: what it shows, as a person sees it."""

    def __init__(self, command: str):
        self.name = f"irc-test-{uuid.uuid4().hex}"
        self.run("-f", os.devnull, "new-session", "-d", "-x", "120", "-y", "200", command)

    def run(self, *args: str) -> str:
        return subprocess.run(
            ["tmux", "-L", self.name, *args], capture_output=True, text=True, timeout=DEADLINE_S
        ).stdout

    def type(self, line: str) -> None:
        self.run("send-keys", "-l", line)
        self.run("send-keys", "Enter")

    def screen(self) -> list[str]:
        return [line.rstrip() for line in self.run("capture-pane", "-p", "-S", "-").splitlines() if line.strip()]

    def close(self) -> None:
        self.run("kill-server")


@pytest.mark.parametrize(
    "session",
    [
        fence
        for name in ("irc", "ircv3")
        for fence in fences(ROOT / f"extras/{name}/README.md")
        if fence.info == "text irssi"
    ],
    ids=str,
)
def test_irssi_holds_the_chapters_session_without_an_error(session, tmp_path):
    need("irssi", "tmux")
    (tmp_path / "config").write_text(IRSSI_CONFIG)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running(WatchedServer(("127.0.0.1", 0))))
        bob = stack.enter_context(IrcWire(server.server_address))
        heard: list[str] = []  # by bob, and not yet compared
        irssi = Tmux(f"irssi --home={tmp_path} -c 127.0.0.1 -p {server.server_address[1]}")
        stack.callback(irssi.close)
        seen = 0  # lines of the screen that have been compared
        for number, line in enumerate(session.body):
            who, sign, text = re.fullmatch(r"(\w+)([<>]) (.*)", line).groups()
            if who == "alice" and sign == ">":
                irssi.type(text)
            elif who == "alice":
                rows = wait_for(
                    f"{text!r} on irssi's screen",
                    lambda: [row for row, shown in enumerate(irssi.screen()) if row >= seen and text in shown],
                )
                seen = rows[0] + 1
            elif sign == ">":
                bob.send(f"{text}\r\nPING {number}")  # it is done before alice goes on
                while not heard or not heard[-1].endswith(f":{number}"):
                    heard.append(bob.line().decode().rstrip())
            else:
                while text not in heard:
                    heard = [bob.line().decode().rstrip()]
        screen = "\n".join(irssi.screen())
        assert not re.search(r"(?i)unknown (command|mode)|not enough|no such|error|invalid|denied", screen), screen
        # It begins with a JOIN of nothing, to learn whether the server waits for CAP END, and shows no error.
        assert server.errors == [("", "451")]


def test_weechat_holds_a_session_without_an_error(tmp_path):
    need("weechat-headless")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running(WatchedServer(("127.0.0.1", 0))))
        bob = stack.enter_context(IrcWire(server.server_address))
        bob.ask("NICK bob", "USER bob 0 * :Bob", "JOIN #tea")
        settings = [
            "/set logger.file.flush_delay 0",
            "/set irc.server_default.anti_flood_prio_high 0",
            "/set irc.server_default.anti_flood_prio_low 0",
            f"/server add t 127.0.0.1/{server.server_address[1]} -nicks=wanda -username=wanda -realname=Wanda",
            "/set irc.server.t.ssl off",  # WeeChat 3; it is called tls in WeeChat 4
            "/set irc.server.t.tls off",
            "/connect t",
        ]
        runs = [word for line in settings for word in ("-r", line)]
        weechat = subprocess.Popen(
            ["weechat-headless", "-d", str(tmp_path), *runs],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        stack.callback(weechat.wait, DEADLINE_S)
        stack.callback(weechat.terminate)
        pipe = wait_for("WeeChat's pipe", lambda: list(tmp_path.glob("weechat_fifo_*")))[0]

        def say(buffer: str, line: str) -> None:
            with open(pipe, "w", encoding="utf-8") as fifo:
                fifo.write(f"irc.{buffer} *{line}\n")

        def log(buffer: str) -> str:
            path = tmp_path / "logs" / f"irc.{buffer}.weechatlog"
            return path.read_text(encoding="utf-8") if path.exists() else ""

        def shows(buffer: str, text: str) -> None:
            wait_for(f"{text!r} in {buffer}", lambda: text in log(buffer))

        def hears(text: str) -> None:
            while short(bob.read()) != text:
                pass

        shows("server.t", "End of MOTD command")
        say("server.t", "/join #tea")
        hears("JOIN #tea")
        shows("t.#tea", "has joined #tea")
        bob.ask("MODE #tea +o wanda", "PRIVMSG #tea :welcome")
        shows("t.#tea", "Mode #tea [+o wanda] by bob")
        shows("t.#tea", "welcome")
        for line, heard in {
            "Anyone for tea?": "PRIVMSG #tea Anyone for tea?",
            "/me pours": "PRIVMSG #tea \x01ACTION pours\x01",
            "/topic Tea at four": "TOPIC #tea Tea at four",
            "/msg bob psst": "PRIVMSG bob psst",
            "/mode +m": "MODE #tea +m",
            "/nick wendy": "NICK wendy",
            "/kick bob too loud": "KICK #tea bob too loud",
        }.items():
            say("t.#tea", line)
            hears(heard)
        bob.ask("PRIVMSG wendy :hey")
        shows("t.bob", "hey")
        for buffer, line, where, shown in (
            ("server.t", "/whois bob", "server.t", "[bob] End of WHOIS list"),
            ("server.t", "/list -server t", "server.t", "End of LIST"),
            ("server.t", "/who #tea", "server.t", "End of WHO list"),
            ("t.#tea", "/names", "t.#tea", "Nicks #tea: [@wendy]"),
            ("server.t", "/away lunch", "server.t", "You have been marked as being away"),
            ("server.t", "/away", "server.t", "You are no longer marked as being away"),
            ("t.#tea", "/ban bob", "t.#tea", "[+b bob!*@*]"),
            ("t.#tea", "/invite bob", "t.#tea", "bob"),
            ("t.#tea", "/part", "t.#tea", "has left #tea"),
        ):
            say(buffer, line)
            shows(where, shown)
        say("server.t", "/quit bye")
        wait_for("the end", lambda: server.registry.user("wendy") is None)
        for path in Path(tmp_path / "logs").glob("irc.*"):
            assert "=!=" not in path.read_text(encoding="utf-8"), path
        assert server.errors == []
