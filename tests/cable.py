"""Two machines, a cable between them, and somebody who pulls it out.  Linux, as root.

    unshare --net python tests/cable.py SECONDS

Each machine is a network namespace, the cable a pair of virtual interfaces (veth).  Here runs a
server that counts a peer as dead after SECONDS, and alice; beyond the cable are bob, to whom
something is on its way when it is pulled, and carol, to whom nothing is.  Each line printed says
who was seen to go.  When the processes end, the kernel takes namespaces and cable away.
"""

import argparse
import socket
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the repo root, so extras is found

from extras.presence.server import PresenceServer
from step5_server import connection

HERE, THERE, PREFIX = "10.9.8.1", "10.9.8.2", "/24"  # nobody else is in these networks


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def log_in(port: int, name: str, deadline_s: float):
    """Return a user's connection, as a file of lines."""
    with socket.create_connection((HERE, port), timeout=deadline_s) as sock:
        lines = sock.makefile("rw", newline="\n")
    say(lines, f"LOGIN {name}")
    while not lines.readline().startswith("OK"):
        pass
    return lines


def say(lines, request: str) -> None:
    lines.write(request + "\n")
    lines.flush()


def peers(port: int, deadline_s: float) -> None:
    """Be bob and carol, and pull the cable at this end when told to."""
    print("in another network", flush=True)
    sys.stdin.readline()  # the cable is there
    ip("addr", "add", THERE + PREFIX, "dev", "far")
    ip("link", "set", "far", "up")
    users = [log_in(port, name, deadline_s) for name in ("bob", "carol")]
    print(len(users), "are in", flush=True)
    sys.stdin.readline()
    ip("link", "set", "far", "down")
    print("pulled", flush=True)
    sys.stdin.readline()  # until the other side has seen enough


def watch(port: int, machine: subprocess.Popen, deadline_s: float) -> None:
    """Lay the cable, be alice, and tell who goes."""
    assert machine.stdout.readline() == "in another network\n"
    ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(machine.pid))
    ip("addr", "add", HERE + PREFIX, "dev", "near")
    ip("link", "set", "near", "up")
    for expected in ("2 are in\n", "pulled\n"):
        machine.stdin.write("go on\n")
        machine.stdin.flush()
        assert machine.stdout.readline() == expected
        if expected == "2 are in\n":
            alice = log_in(port, "alice", deadline_s)
    say(alice, "MSG bob are you there?")
    gone = set()
    while gone != {"bob", "carol"}:
        verb, *words = alice.readline().split()  # TimeoutError: nobody was seen to go
        if verb == "OFFLINE":
            gone.add(words[0])
            print(words[0], "is gone", flush=True)


def serve(dead_after_s: int) -> None:
    """Run the server, and a second machine in a namespace of its own."""
    connection.DEAD_AFTER_S = dead_after_s
    deadline_s = dead_after_s + 10.0
    ip("link", "set", "lo", "up")
    server = PresenceServer(("0.0.0.0", 0))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    command = ["unshare", "--net", sys.executable, __file__, str(dead_after_s), "--peers-of", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as machine:
        watch(port, machine, deadline_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", type=int, help="4 or more: the server takes a quarter of it")
    parser.add_argument("--peers-of", type=int, metavar="PORT", help=argparse.SUPPRESS)  # the other machine
    args = parser.parse_args()
    if args.peers_of:
        peers(args.peers_of, args.seconds)
    else:
        serve(args.seconds)


if __name__ == "__main__":
    main()
