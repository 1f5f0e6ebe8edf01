"""Make a certificate for development, and its private key, with the program openssl.

    python extras/tls/certificate.py              cert.pem and key.pem, for this machine
    python extras/tls/certificate.py chat.lan     ... and for the name chat.lan

Python's standard library cannot make certificates.  openssl is there on nearly every Linux and
on macOS; the alternative, the package `cryptography`, would have to be installed first.

Nobody vouches for such a certificate: a client trusts it only if it is given the file.  On the
internet you need one from an authority, such as Let's Encrypt.
"""

import argparse
import contextlib
import ipaddress
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step1_echo is found

from step1_echo.serving import announce
from step1_echo.streams import mend_streams, tell

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
DAYS = 365  # as long as public ones ever last; a forgotten one should not last for ever
# Not the system's openssl.cnf, which may say anything.  CA:FALSE: whoever steals the key cannot
# make certificates for other names with it.  Source: x509v3_config(5); RFC 5280 section 4.2.1.
CONFIG = """
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = {name}
[extensions]
subjectAltName = {names}
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
"""


def alternative_name(name: str) -> str:
    """Return a name or an address in openssl's form: a client looks for each in a place of its own."""
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def name_or_address(text: str) -> str:
    """Return the text if it can stand in a certificate; for argparse, so that a wrong one is a clear error."""
    if all(letter.isalnum() or letter in "-.:*" for letter in text) and text.isascii():
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is neither a host's name nor an address")


def make_certificate(names: list[str], cert: str, key: str) -> None:
    """Write both files, or neither.  Raises: OSError; FileExistsError if one is there already."""
    if os.path.abspath(cert) == os.path.abspath(key):
        raise OSError("the certificate and its key go into two files")
    made = []
    try:
        for path in (key, cert):
            # O_EXCL: a key that is overwritten is lost.  0o600: nobody else may read it, not for a moment.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            made.append(path)
        run_openssl(names, cert, key)
        os.chmod(cert, 0o644)  # the certificate is for everybody
    except OSError:
        for path in made:
            with contextlib.suppress(OSError):
                os.remove(path)
        raise


def run_openssl(names: list[str], cert: str, key: str) -> None:
    """Have openssl fill both files.  Raises: OSError."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "openssl.cnf")
        config.write_text(CONFIG.format(name=names[0], names=",".join(map(alternative_name, names))))
        # P-256: every client knows it, and the server's part of a handshake costs a tenth of RSA's.
        command = f"openssl req -x509 -nodes -days {DAYS} -newkey ec -pkeyopt ec_paramgen_curve:prime256v1".split()
        files = ["-config", str(config), "-keyout", key, "-out", cert]
        try:
            told = subprocess.run(command + files, check=False, capture_output=True, text=True)
        except FileNotFoundError:
            raise OSError("the program openssl is not installed (Debian, Ubuntu: apt install openssl)") from None
    if told.returncode:
        raise OSError(f"openssl says: {told.stderr.strip()}")


def main() -> int:
    """Do what the command line asks; return the exit status."""
    mend_streams()
    parser = argparse.ArgumentParser(description="Make a certificate for development with openssl.")
    parser.add_argument(
        "names",
        nargs="*",
        type=name_or_address,
        metavar="NAME",
        help=f"a name or address that it is to be valid for, besides {', '.join(THIS_MACHINE)}",
    )
    parser.add_argument("--cert", default="cert.pem", metavar="FILE", help="default: %(default)s")
    parser.add_argument("--key", default="key.pem", metavar="FILE", help="default: %(default)s")
    args = parser.parse_args()
    names = [*args.names, *THIS_MACHINE]
    try:
        make_certificate(names, args.cert, args.key)
    except FileExistsError as error:
        tell(f"{error.filename} is there already: remove it first, or name another file")
        return 1
    except OSError as error:  # no openssl, no such folder, ...
        where = f"{error.filename}: {error.strerror}" if error.filename else error
        tell(f"cannot make a certificate: {where}")
        return 1
    announce(f"{args.cert}: for the server (--tls-cert) and the clients (--ca); {', '.join(names)}")
    announce(f"{args.key}: for the server (--tls-key), and nobody else may read it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
