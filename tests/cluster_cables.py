"""Three machines with a server of the cluster each, a fourth with Redis, and somebody who pulls out a cable.

    unshare --net python tests/cluster_cables.py FOLDER

Linux, as root.  Here is Redis, and a switch (a bridge); each server has a network namespace and an
address of its own, and a cable (veth) to the switch.  Its users are on its machine: they stay
connected to it when its cable is pulled.  Ends with a traceback if something is not as it must be.
"""

import argparse
import contextlib
import ctypes
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so extras is found

from tests.cable import ip
from tests.chapter import ROOT
from tests.cluster_house import SCRIPT, House, Talker, User, read_all
from tests.dialects import DEADLINE_S, eventually

NETWORK, PREFIX, PORT = "10.9.7", "/24", "9000"  # nobody else is in these networks
GONE_S = 5.0
CLONE_NEWNET = 0x40000000  # Source: setns(2)


@contextlib.contextmanager
def on_machine(pid):
    """Make sockets in the network of a process; a socket stays in the network where it was made."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as here, open(f"/proc/{pid}/ns/net") as there:
        for file in (there, here):
            if libc.setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            if file is there:
                try:
                    yield
                except BaseException:
                    libc.setns(here.fileno(), CLONE_NEWNET)
                    raise


class Machine:
    """A network namespace with a cable to our switch, and a server in it.  A context manager."""

    def __init__(self, number: int, redis: str, folder: Path):
        self.cable, host = f"cable{number}", f"{NETWORK}.{number}"
        self.log_path = folder / f"machine{number}.log"
        self._log = open(self.log_path, "wb")  # noqa: SIM115 (until our own end)
        command = [
            sys.executable,
            ROOT / SCRIPT,
            "--host",
            host,
            "--port",
            PORT,
            "--redis",
            redis,
            "--name",
            f"m{number}",
        ]
        self.popen = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", 'echo there; read go; exec "$@"', "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self.popen.stdout.readline() == "there\n"
        pid = str(self.popen.pid)
        ip("link", "add", self.cable, "type", "veth", "peer", "name", "near", "netns", pid)
        ip("link", "set", self.cable, "master", "switch", "up")
        for words in (
            ["addr", "add", host + PREFIX, "dev", "near"],
            ["link", "set", "near", "up"],
            ["link", "set", "lo", "up"],
        ):
            subprocess.run(["nsenter", "--target", pid, "--net", "ip", *words], check=True)
        self.popen.stdin.write("go\n")
        self.popen.stdin.flush()
        assert self.popen.stdout.readline() == f"listening on {host}:{PORT}\n", self.log
        self.server = SimpleNamespace(address=(host, int(PORT)))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.popen.kill()
        self.popen.wait(DEADLINE_S)
        self._log.close()

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def user(self, name: str) -> User:
        with on_machine(self.popen.pid):
            user = User(self.server)
        user.log_in_in_time(name)
        return user


def run(folder: Path) -> None:
    """Pull the cable of the third machine, and put it in again."""
    ip("link", "set", "lo", "up")
    ip("link", "add", "switch", "type", "bridge")
    ip("addr", "add", f"{NETWORK}.254{PREFIX}", "dev", "switch")
    ip("link", "set", "switch", "up")
    with contextlib.ExitStack() as stack:
        house = stack.enter_context(House(folder, f"{NETWORK}.254"))
        machines = [stack.enter_context(Machine(number, house.url, folder)) for number in (1, 2, 3)]
        first, _second, third = machines
        users = alice, bob, carol = [machine.user(name) for machine, name in zip(machines, ("alice", "bob", "carol"))]
        talking = [first.user("talker1"), third.user("talker3")]
        for user in [*users, *talking]:
            assert user.request("JOIN tea") == "OK"
        ways = ["SAY tea", "MSG bob", "ALL"]
        talkers = [Talker(user, *ways) for user in talking]
        for talker in talkers:
            talker.goes_on(30)

        ip("link", "set", third.cable, "down")
        since = time.monotonic()
        for user in (alice, bob):
            user.hear("LEFT tea carol", "OFFLINE carol", "OFFLINE talker3")
            assert time.monotonic() - since < GONE_S
        eventually(lambda: "Redis is away" in third.log, "the one that is cut off has noticed")
        assert carol.request("HELP").startswith("OK LOGIN")
        assert carol.request("SAY tea can you hear me?").startswith("ERR unavailable ")
        carols = first.user("carol")  # the name is free
        for n in range(10):
            assert bob.request(f"MSG carol {n}") == "OK"

        ip("link", "set", third.cable, "up")
        assert carol.end().startswith("ERR shutting-down ")
        assert not [line for line in carol.heard if line.startswith("MSG bob")]
        eventually(lambda: len(re.findall("this is m3-", third.log)) == 2, "it has entered anew")
        eventually(lambda: talkers[1].cut, "all who were there are closed")
        for talker in talkers:
            talker.stop()
        assert not talkers[0].cut
        dave = third.user("dave")
        assert dave.ask("JOIN tea", "MSG carol hello") == ["OK", "OK"]
        carols.hear(*(f"MSG bob {n}" for n in range(10)), "MSG dave hello")
        for way in ways:
            for listener in (bob,) if way.startswith("MSG") else (alice, bob):
                read_all(way, listener, dave)
                for talker in talkers:
                    talker.check(way, listener)
        for user in (alice, bob):
            assert [line for line in user.heard if line.startswith("OFFLINE")] in (
                ["OFFLINE carol", "OFFLINE talker3"],
                ["OFFLINE talker3", "OFFLINE carol"],
            )
            assert user.heard.count("LEFT tea carol") == 1
        for user in (alice, bob, carols, dave):
            assert user.request("WHO").startswith("OK 5 ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="an empty one, for Redis and the logs")
    run(parser.parse_args().folder)


if __name__ == "__main__":
    main()
