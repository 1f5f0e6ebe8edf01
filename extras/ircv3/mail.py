"""Mail: a text is handed to a program, such as `sendmail -t`, which finds the receiver in it."""

import re
import subprocess
import threading
from collections.abc import Sequence

from step1_echo.serving import log

ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(\.[\w-]+)*", re.ASCII)  # one receiver, and nothing that a header could mean
ADDRESS_BYTES = 254  # RFC 5321 section 4.5.3.1.3, less the two angle brackets
TIMEOUT_S = 20.0  # a program that puts a mail into a queue takes far less
MOST = 4  # programs that run at a time


def is_address(text: str) -> bool:
    """Tell whether this may be the address of a mailbox."""
    return len(text) <= ADDRESS_BYTES and ADDRESS.fullmatch(text) is not None


class Mailer:
    """Sends mail with a program.  Thread: any."""

    def __init__(self, program: Sequence[str]):
        self._program = program
        self._may_run = threading.Semaphore(MOST)

    def send(self, text: str) -> bool:
        """Hand over a mail; tell whether the program took it.  Blocks: up to TIMEOUT_S: never under a lock."""
        with self._may_run:
            try:
                done = subprocess.run(
                    self._program,
                    input=text.encode(),
                    timeout=TIMEOUT_S,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                )
            except (OSError, subprocess.SubprocessError) as error:
                log.warning("no mail: %s", error)
                return False
        if done.returncode:
            log.warning("no mail: %s: status %d", self._program[0], done.returncode)
        return done.returncode == 0
