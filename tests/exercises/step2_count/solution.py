"""Solution: let pump say how many bytes it copied."""


def pump(read, write) -> int:
    """Copy chunks from `read` to `write` until EOF; return how many bytes that were."""
    copied = 0
    while chunk := read(65_536):
        write(chunk)
        copied += len(chunk)  # only now: had `write` raised, they would not have been copied
    return copied
