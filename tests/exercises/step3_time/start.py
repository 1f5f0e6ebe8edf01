"""Exercise: a verb TIME, whose reply is OK and the time: `OK 2030-01-31T12:30:59`."""

from step3_protocol.session import Session


class TimeSession(Session):
    """Answer TIME too."""

    # TODO: the verb, and what it does
