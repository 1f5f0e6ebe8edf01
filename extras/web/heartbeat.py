"""A heartbeat: ask browsers that say nothing whether they are still there, with WebSocket's ping.

TCP's keepalive (step 5) asks the machine at the other end of the connection.  Behind a proxy that
is the proxy, and proxies end connections that carry nothing for a minute: a ping is something.
"""

from collections.abc import Iterable

from extras.web.websocket import WebSocketCodec, ping_frame
from step5_server.handler import LineHandler

SILENT_S = 30.0  # then we ask: twice within the minute after which proxies give up
PONG_S = 30.0  # to answer in: a phone in a tunnel, and then TCP's repeated attempts


def check_pulse(handlers: Iterable[LineHandler], now: float) -> None:
    """Ping who is silent, and end who has not answered.  Blocks: never.

    Thread: holds the registry's lock.
    """
    for handler in handlers:
        conn = handler.conn
        if not isinstance(conn.codec, WebSocketCodec) or not conn.codec.opened:
            continue
        if handler.outbox.pending_bytes:
            continue  # it has not even got what was sent before; step 5 has a limit for that
        if now - conn.heard_at <= SILENT_S:
            continue
        if conn.codec.pinged_at < conn.heard_at:
            conn.codec.pinged_at = now
            handler.outbox.put(ping_frame())
            handler.outbox.flush()
        elif now - conn.codec.pinged_at > PONG_S:
            conn.kick("no answer to a ping")
