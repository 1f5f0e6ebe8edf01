"""Exercise: Compressed frames, each by itself."""

import pytest

pytest.importorskip("websockets", reason="websockets is not installed: pip install -r extras/web/requirements.txt")

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.uri import parse_uri

from extras.web.website import Website
from extras.web.websocket import text_frame
from step5_server.codec import LineCodec

LINE = b"SAY tea bob " + b"hello " * 100


@pytest.fixture
def meet(exercise):
    """meet(offer) -> a client and the server's codec after their handshake."""

    def meet(offer):
        client = ClientProtocol(
            parse_uri("ws://127.0.0.1/"), extensions=[ClientPerMessageDeflateFactory()] if offer else None
        )
        codec = exercise.DeflateCodec(LineCodec(), Website())
        client.send_request(client.connect())
        client.receive_data(codec.feed(b"".join(client.data_to_send())))
        client.events_received()
        assert codec.opened
        return client, codec

    return meet


def heard(client, data):
    client.receive_data(data)
    return [bytes(frame.data) for frame in client.events_received()]


def test_with_a_client_that_offers_it_frames_are_short(meet):
    client, codec = meet(offer=True)
    data = codec.frame(LINE)
    assert len(data) < len(LINE) // 5
    assert heard(client, data) == [LINE]


def test_each_frame_can_be_read_without_the_others(meet):
    one, codec = meet(offer=True)
    other, other_codec = meet(offer=True)
    heard(one, codec.frame(LINE))
    data = codec.frame(LINE)
    assert data == other_codec.frame(LINE)
    assert heard(one, data) == heard(other, data) == [LINE]
    assert codec.frame is other_codec.frame, "else a fan-out frames for each member"


def test_what_the_client_compresses_is_understood(meet):
    client, codec = meet(offer=True)
    client.send_text(LINE)
    data = b"".join(client.data_to_send())
    assert len(data) < len(LINE) // 5
    codec.feed(data)
    assert codec.next_line() == LINE


def test_without_an_offer_nothing_is_compressed(meet):
    client, codec = meet(offer=False)
    assert codec.frame is text_frame
    assert heard(client, codec.frame(LINE)) == [LINE]


def test_a_little_that_becomes_much_ends_the_connection(meet):
    client, codec = meet(offer=True)
    client.send_text(b"x" * 2_000_000)
    data = b"".join(client.data_to_send())
    assert len(data) < 5000
    codec.feed(data)
    assert codec.ended and codec.next_line() is None
