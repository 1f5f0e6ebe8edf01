"""Solution: a mask, matched in a time that does not explode."""


def fits(mask: str, name: str) -> bool:
    """Return whether a mask matches the whole name: `*` is any characters, `?` is one."""
    at = star = 0  # where we are in the name; where the last star's text ends, if there is one
    place, after_star = 0, -1  # where we are in the mask; what follows the last star
    while at < len(name):
        if place < len(mask) and mask[place] == "*":
            place += 1
            after_star, star = place, at  # at first the star stands for nothing
        elif place < len(mask) and mask[place] in ("?", name[at]):
            place += 1
            at += 1
        elif after_star >= 0:
            star += 1  # let it stand for one letter more; the stars before it need never change
            place, at = after_star, star
        else:
            return False
    return not mask[place:].strip("*")
