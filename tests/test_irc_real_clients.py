"""Programs of others on our IRC server: each logs in, joins, reads what was said before, and talks.

visitor   the program under test; its account is its nick
bob       a wire of ours: he has spoken before the visitor comes, and hears who is logged in
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from extras.irc.server import IrcServer
from extras.tls.credentials import Credentials
from tests.chapter import ROOT
from tests.irc_wire import IrcWire, short
from tests.servers import running
from tests.test_irc_clients import IRSSI_CONFIG, Tmux, wait_for

pytestmark = pytest.mark.long

GOTTEN = ROOT / ".irc-clients"  # where get.sh puts what apt does not have
PASSWORD = "sesame"
LIBRARY = "node_modules/irc-framework"
BEFORE = "the kettle is on"  # said before the visitor comes


def need(program: str, package: str) -> str:
    """Give a program's path."""
    return shutil.which(program) or miss(program, f"apt install {package}")


def gotten(name: str) -> Path:
    """Give what get.sh has brought."""
    path = GOTTEN / name
    return path if path.exists() else miss(path.name, "tests/irc_visitors/get.sh")


def miss(what: str, how: str):
    """Skip, and say how to get it; in CI that is a failure."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{what} is not installed: {how}")


class House:
    """The server, and bob in #tea."""

    def __init__(self, stack: contextlib.ExitStack, pem: Path, db: Path):
        self.stack, self.pem = stack, pem
        self.server = IrcServer(("127.0.0.1", 0), name="irc.test", options={"db": str(db)})
        self.server.open_tls_door(("127.0.0.1", 0), Credentials(pem))
        self.bob: IrcWire

    def open(self) -> None:
        self.stack.enter_context(running(self.server))
        self.bob = self.wire(
            "bob", "CAP REQ :account-tag message-tags", "CAP END", "JOIN #tea", f"PRIVMSG #tea :{BEFORE}"
        )

    @property
    def tls_port(self) -> int:
        return self.server.tls_door.server_address[1]

    def wire(self, nick: str, *lines: str) -> IrcWire:
        wire = self.stack.enter_context(IrcWire(self.server.server_address))
        wire.ask(f"NICK {nick}", f"USER {nick} 0 * :{nick}", *lines)
        return wire

    def make_account(self, name: str) -> None:
        wire = self.wire(name)
        assert f"REGISTER SUCCESS {name} Account created" in wire.lines(f"REGISTER * * {PASSWORD}")
        wire.send("QUIT")
        wire.goodbye()

    def run(self, words, folder: Path, user: str | None = None, **environment: str) -> None:
        """Start a visitor; it ends with the test, and pytest shows what it says."""
        environment = {**os.environ, "HOME": str(folder), **environment}
        process = subprocess.Popen(
            list(map(str, words)), cwd=folder, env=environment, user=user, stdin=subprocess.DEVNULL
        )
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)

    def hears(self, text: str, account: str) -> None:
        """bob hears this in #tea, said by somebody who is logged in."""
        while short(message := self.bob.read()) != f"PRIVMSG #tea {text}":
            pass
        assert (message.nick, message.tags.get("account")) == (account, account)


@pytest.fixture
def house(certificates, tmp_path):
    with contextlib.ExitStack() as stack:
        house = House(stack, certificates / "ours.pem", tmp_path / "irc.db")
        house.open()
        yield house


def test_irssi_makes_an_account_logs_in_over_tls_and_reads_history(house, tmp_path):
    need("tmux", "tmux")
    irssi = need("irssi", "irssi")
    config = (
        IRSSI_CONFIG
        + f"""
chatnets = {{ tea = {{ type = "IRC"; SASL }}; }};
servers = ( {{ address = "localhost"; chatnet = "tea"; port = "{house.tls_port}"; use_tls = "yes";
               tls_verify = "yes"; tls_cafile = "{house.pem}"; autoconnect = "yes"; }} );
"""
    )

    def start(name: str, sasl: str) -> Tmux:
        home = tmp_path / name
        home.mkdir()
        (home / "config").write_text(config.replace("SASL", sasl))
        terminal = Tmux(f"{irssi} --home={home}")
        house.stack.callback(terminal.close)
        return terminal

    def shows(terminal: Tmux, text: str) -> None:
        wait_for(f"{text!r} on irssi's screen", lambda: text in "\n".join(terminal.screen()))

    newcomer = start("newcomer", "")
    shows(newcomer, "End of MOTD")
    newcomer.type(f"/msg NickServ REGISTER {PASSWORD}")
    shows(newcomer, "ccount created")
    newcomer.type("/quit")
    wait_for("alice's end", lambda: house.server.registry.user("alice") is None)
    back = start("back", f'sasl_mechanism = "PLAIN"; sasl_username = "alice"; sasl_password = "{PASSWORD}";')
    shows(back, "SASL authentication succeeded")
    back.type("/join #tea")
    shows(back, "Join to #tea was synced")
    back.type("/quote CHATHISTORY LATEST #tea * 10")
    shows(back, f"bob> {BEFORE}")
    back.type("with milk")
    house.hears("with milk", "alice")


def test_weechat_makes_an_account_logs_in_over_tls_and_reads_history(house, tmp_path):
    weechat = need("weechat-headless", "weechat-headless weechat-plugins")
    settings = [
        "/set logger.file.flush_delay 0",
        "/set irc.server_default.anti_flood_prio_high 0",
        "/set irc.server_default.anti_flood_prio_low 0",
        f"/set weechat.network.gnutls_ca_user {house.pem}",
        f"/server add t 127.0.0.1/{house.tls_port} -nicks=wanda -username=wanda -realname=Wanda",
        "/set irc.server.t.ssl on",  # WeeChat 3; it is called tls in WeeChat 4
        "/set irc.server.t.tls on",
        "/connect t",
    ]
    house.run([weechat, "-d", tmp_path, *(word for line in settings for word in ("-r", line))], tmp_path)
    pipe = wait_for("WeeChat's pipe", lambda: list(tmp_path.glob("weechat_fifo_*")))[0]

    def say(buffer: str, line: str) -> None:
        with open(pipe, "w", encoding="utf-8") as fifo:
            fifo.write(f"irc.{buffer} *{line}\n")

    def shows(buffer: str, text: str) -> None:
        path = tmp_path / "logs" / f"irc.{buffer}.weechatlog"
        wait_for(f"{text!r} in {buffer}", lambda: path.exists() and text in path.read_text(encoding="utf-8"))

    shows("server.t", "End of MOTD command")
    say("server.t", f"/quote REGISTER * * {PASSWORD}")
    shows("server.t", "You are now logged in as wanda")
    for line in (
        "/disconnect t",
        "/set irc.server.t.sasl_mechanism scram-sha-256",
        "/set irc.server.t.sasl_username wanda",
        f"/set irc.server.t.sasl_password {PASSWORD}",
        "/connect t",
    ):
        say("server.t", line)
    shows("server.t", "SASL authentication successful")
    say("server.t", "/join #tea")
    shows("t.#tea", "has joined #tea")
    say("server.t", "/quote CHATHISTORY LATEST #tea * 10")
    shows("t.#tea", f"bob\t{BEFORE}")
    say("t.#tea", "with milk")
    house.hears("with milk", "wanda")


def test_irc_framework_makes_an_account_logs_in_over_tls_and_reads_history(house, tmp_path):
    node = need("node", "nodejs")
    gotten(LIBRARY)
    script = ROOT / "tests/irc_visitors/visitor.js"
    house.run(
        [node, script, "127.0.0.1", house.tls_port, "nora"],
        tmp_path,
        NODE_PATH=str(GOTTEN / "node_modules"),
        NODE_EXTRA_CA_CERTS=str(house.pem),
    )
    house.hears(f"I have read: {BEFORE}", "nora")


# What the library's bundle for browsers takes from Node, and its users' bundlers put in: Buffer is for SASL.
FROM_NODE = """
window.process = {env: {}};
window.Buffer = {from: (text) => ({toString: (encoding) => btoa(text)})};
"""


def test_a_web_page_makes_an_account_logs_in_over_websocket_and_reads_history(certificates, tmp_path, chromium):
    from extras.web.web_door import IRC_FRAMES, open_web_door
    from extras.web.website import Website

    library = gotten(LIBRARY) / "dist/browser/static/browser.js"
    with contextlib.ExitStack() as stack:
        house = House(stack, certificates / "ours.pem", tmp_path / "irc.db")
        door = open_web_door(house.server, ("127.0.0.1", 0), Website(origins=["*"]), IRC_FRAMES)
        house.open()
        page = chromium.new_page()
        stack.callback(page.close)
        page.evaluate(FROM_NODE)
        for script in (library, ROOT / "tests/irc_visitors/visitor.js"):
            page.add_script_tag(content=script.read_text(encoding="utf-8"))
        page.evaluate(
            "port => visit(window['irc-framework'].Client, {host: '127.0.0.1', port, nick: 'paula'})",
            door.server_address[1],
        )
        house.hears(f"I have read: {BEFORE}", "paula")


@pytest.mark.parametrize("way", ["sasl", "nickserv"])
def test_sopel_logs_in_over_tls_and_reads_history(house, tmp_path, way):
    gotten("bin/sopel")
    house.make_account("sophie")
    (tmp_path / "plugins").mkdir()
    shutil.copy(ROOT / "tests/irc_visitors/sopel_tea.py", tmp_path / "plugins/tea.py")
    (tmp_path / "sopel.cfg").write_text(f"""
[core]
nick = sophie
user = sophie
owner = alice
host = 127.0.0.1
port = {house.tls_port}
use_ssl = true
verify_ssl = true
ca_certs = {house.pem}
auth_method = {way}
auth_username = sophie
auth_password = {PASSWORD}
channels = #tea
homedir = {tmp_path}
enable =
    coretasks
    tea
log_raw = true
""")
    # It does not run for root, who tests in many a container.
    as_anybody = (
        "import os, sys; os.getuid = os.geteuid = lambda: 1000; from sopel.cli.run import main; sys.exit(main())"
    )
    house.run([GOTTEN / "bin/python", "-c", as_anybody, "start", "-c", tmp_path / "sopel.cfg"], tmp_path)
    log = tmp_path / "logs/sopel.raw.log"
    wait_for("what bob has said", lambda: log.exists() and f"PRIVMSG #tea :{BEFORE}" in log.read_text())
    house.bob.send("PRIVMSG #tea :how?")
    house.hears("with milk", "sophie")


WAYS_OF_LIMNORIA = {
    "sasl": f"""
supybot.networks.tea.sasl.username: lima
supybot.networks.tea.sasl.password: {PASSWORD}
supybot.networks.tea.sasl.required: True
supybot.networks.tea.sasl.mechanisms: plain
supybot.plugins: Tea
""",
    "nickserv": f"""
supybot.plugins: Tea Services
supybot.plugins.Services: True
supybot.plugins.Services.NickServ: NickServ
supybot.plugins.Services.nicks: lima
supybot.plugins.Services.NickServ.password.lima: {PASSWORD}
supybot.plugins.Services.noJoinsUntilIdentified: True
""",
}


@pytest.mark.parametrize("way", WAYS_OF_LIMNORIA)
def test_limnoria_logs_in_over_tls_and_reads_history(house, tmp_path, way):
    limnoria = gotten("bin/limnoria")
    house.make_account("lima")
    shutil.copytree(ROOT / "tests/irc_visitors/Tea", tmp_path / "plugins/Tea")
    (tmp_path / "bot.conf").write_text(
        f"""
supybot.nick: lima
supybot.ident: lima
supybot.networks: tea
supybot.networks.tea.servers: 127.0.0.1:{house.tls_port}
supybot.networks.tea.channels: #tea
supybot.networks.tea.ssl: True
supybot.networks.tea.ssl.authorityCertificate: {house.pem}
supybot.protocols.ssl.verifyCertificates: True
supybot.directories.plugins: {tmp_path}/plugins
supybot.directories.conf: {tmp_path}/conf
supybot.directories.data: {tmp_path}/data
supybot.directories.log: {tmp_path}/logs
supybot.plugins.Tea: True
supybot.log.stdout.level: DEBUG
supybot.protocols.irc.throttleTime: 0.0
"""
        + WAYS_OF_LIMNORIA[way]
    )
    house.run([limnoria, "--allow-root", tmp_path / "bot.conf"], tmp_path)
    house.hears(f"I have read: {BEFORE}", "lima")


def test_znc_logs_in_over_tls_and_lets_its_client_read_history(house):
    znc = need("znc", "znc")
    house.make_account("zoe")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # NOTE: ZNC takes no 0; nobody takes this one in the next milliseconds
    folder = Path(house.stack.enter_context(tempfile.TemporaryDirectory()))
    (folder / "configs").mkdir()
    (folder / "configs/znc.conf").write_text(f"""
Version = 1.8.2
ConnectDelay = 1
<Listener l>
    Host = 127.0.0.1
    Port = {port}
    IPv4 = true
    IPv6 = false
    SSL = false
</Listener>
<User zoe>
    Nick = zoe
    Ident = zoe
    <Pass password>
        Method = plain
        Hash = {PASSWORD}
    </Pass>
    <Network tea>
        LoadModule = sasl
        TrustAllCerts = true
        FloodBurst = 100
        Server = 127.0.0.1 +{house.tls_port}
    </Network>
</User>
""")
    sasl = folder / "users/zoe/networks/tea/moddata/sasl"
    sasl.mkdir(parents=True)
    (sasl / ".registry").write_text(f"username zoe\npassword {PASSWORD}\nmechanisms PLAIN\nrequire_auth yes\n")
    # For root it waits half a minute before it starts: so it is not root.
    user = "nobody" if os.getuid() == 0 else None
    if user:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, user)
    house.run([znc, "--foreground", "--datadir", folder], folder, user)
    wait_for("zoe", lambda: house.server.registry.user("zoe"))
    with IrcWire(("127.0.0.1", port)) as client:
        client.send(
            f"PASS zoe/tea:{PASSWORD}\r\nNICK zoe\r\nUSER zoe 0 * :z\r\nJOIN #tea\r\nCHATHISTORY LATEST #tea * 10"
        )
        while short(client.read()) != f"PRIVMSG #tea {BEFORE}":
            pass
        client.send("PRIVMSG #tea :with milk")
        house.hears("with milk", "zoe")
