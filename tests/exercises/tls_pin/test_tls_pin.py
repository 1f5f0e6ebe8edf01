"""Exercise: trust one certificate, whoever has signed it."""

import hashlib
import logging
import ssl

import pytest

from tests.wire import Wire


@pytest.fixture
def fingerprint(certificates):
    pem = (certificates / "ours.pem").read_text()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERT") :])).hexdigest()


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_the_right_server_is_trusted(exercise, house, fingerprint, change):
    server = house()
    with exercise.connect_pinned(server.tls_door.server_address, change(fingerprint)) as sock:
        assert sock.version() >= "TLSv1.2"
        Wire(None, "alice", sock=sock).ask("LOGIN alice", "OK ...")


def test_another_server_hears_nothing(exercise, house, fingerprint, caplog):
    caplog.set_level(logging.INFO)
    server = house()
    wrong = fingerprint.replace(fingerprint[0], "f" if fingerprint[0] != "f" else "0")
    with pytest.raises(ConnectionAbortedError):
        exercise.connect_pinned(server.tls_door.server_address, wrong)
    server.stop()
    assert "LOGIN" not in caplog.text
