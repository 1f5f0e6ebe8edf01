"""Exercise: a mask, matched in a time that does not explode."""


def fits(mask: str, name: str) -> bool:
    """Return whether a mask matches the whole name: `*` is any characters, `?` is one."""
    # TODO: right, but each star doubles the time
    if not mask:
        return not name
    if mask[0] == "*":
        return fits(mask[1:], name) or bool(name) and fits(mask, name[1:])
    return bool(name) and mask[0] in ("?", name[0]) and fits(mask[1:], name[1:])
