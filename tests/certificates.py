"""Certificates for the tests of TLS, made by the `openssl` program, once in a run."""

import shutil
import subprocess
from pathlib import Path

import pytest

FOR_US = "subjectAltName=DNS:localhost,IP:127.0.0.1"
NEW_KEY = "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"  # made faster than one of RSA
USAGE = "keyUsage=critical,digitalSignature,keyCertSign"  # Python 3.13 does not trust one without


def make(folder: Path, name: str, *words: str) -> Path:
    """Make a key and a certificate signed by itself; return a PEM file with both."""
    key, certificate, both = (folder / f"{name}.{suffix}" for suffix in ("key", "crt", "pem"))
    about = "-days", "2", "-subj", f"/CN={name}", "-addext", USAGE
    run("req", "-x509", *NEW_KEY, "-keyout", key, "-out", certificate, *about, *words)
    both.write_text(key.read_text() + certificate.read_text())
    return both


def make_expired(folder: Path, name: str) -> Path:
    """Make one whose last day was yesterday."""
    key, request, certificate, both = (folder / f"{name}.{suffix}" for suffix in ("key", "csr", "crt", "pem"))
    run("req", "-new", *NEW_KEY, "-keyout", key, "-out", request, "-subj", "/CN=localhost")
    extensions = folder / "extensions"
    extensions.write_text(f"{FOR_US}\n{USAGE}\nbasicConstraints=critical,CA:true\n")
    run("x509", "-req", "-in", request, "-key", key, "-out", certificate, "-days", "-1", "-extfile", extensions)
    both.write_text(key.read_text() + certificate.read_text())
    return both


def run(*words) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder with ours.pem (for localhost and 127.0.0.1), other.pem (for another name), old.pem (expired)."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("certificates")
    make(folder, "ours", "-addext", FOR_US)
    make(folder, "other", "-addext", "subjectAltName=DNS:other.example")
    make_expired(folder, "old")
    return folder
