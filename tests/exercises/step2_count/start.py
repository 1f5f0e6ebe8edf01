"""Exercise: let pump return how many bytes it copied."""


def pump(read, write) -> int:
    """Copy chunks from `read` to `write` until EOF; return the number of bytes."""
    # TODO
    while chunk := read(65_536):
        write(chunk)
