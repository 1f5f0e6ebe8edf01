r"""The PROXY protocol: before anything else, a proxy sends the address of its client.

    PROXY TCP4 203.0.113.7 192.0.2.1 51234 6697\r\n     the client, where it connected, and both ports

Otherwise all users behind a TLS proxy would have one address, and a ban of one would be a ban of all.
Only trusted addresses may send it: anybody else could claim any address.  SIMPLIFIED: version 1, which
stunnel, nginx and HAProxy all speak; version 2 is the same in bytes.  Source: haproxy.org,
proxy-protocol.txt, section 2.1.
"""

import ipaddress
import socket
import time

MAX_HEADER_BYTES = 107  # with its CR LF, as the specification counts it
PATIENCE_S = 5.0  # a proxy sends it at once; the specification wants three seconds at least


def read_header(sock: socket.socket) -> tuple[str, int] | None:
    """Read the header; give the client's address, or None if the proxy itself is the client.

    Raises: ValueError for anything else, OSError.  Blocks: PATIENCE_S at most.
    """
    deadline = time.monotonic() + PATIENCE_S
    header = b""
    while not header.endswith(b"\r\n"):
        if len(header) == MAX_HEADER_BYTES:
            raise ValueError("it has no end")
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        byte = sock.recv(1)  # not one byte more: the rest is the client's
        if not byte:
            raise ValueError("EOF inside it")
        header += byte
    sock.settimeout(None)
    return parse_header(header)


def parse_header(header: bytes) -> tuple[str, int] | None:
    """Give the client's address, or None if there is none.  Raises: ValueError."""
    match header.decode("latin-1").removesuffix("\r\n").split(" "):
        case ["PROXY", "UNKNOWN", *_]:
            return None  # a check of the proxy's own
        case ["PROXY", "TCP4" | "TCP6" as family, source, _, port, _]:
            address = ipaddress.ip_address(source)
            if family == f"TCP{address.version}" and port.isdigit():
                mapped = getattr(address, "ipv4_mapped", None)  # an IPv4 client of an IPv6 socket
                return str(mapped or address), int(port)
    raise ValueError(repr(header))
