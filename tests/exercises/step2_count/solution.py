"""Solution: let pump return how many bytes it copied."""


def pump(read, write) -> int:
    """Copy chunks from `read` to `write` until EOF; return the number of bytes."""
    copied = 0
    while chunk := read(65_536):
        write(chunk)
        copied += len(chunk)  # only now: if `write` raises, they are not copied
    return copied
