"""Exercise: let pump say how many bytes it copied."""


def pump(read, write) -> int:
    """Copy chunks from `read` to `write` until EOF; return how many bytes that were."""
    # TODO
    while chunk := read(65_536):
        write(chunk)
