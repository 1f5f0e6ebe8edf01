"""What each client gets first: 005, LUSERS and MOTD; and VERSION, which repeats the first of them.

Source: RFC 2812 section 3.4, modern.ircdocs.horse "Server Queries and Commands" and "RPL_ISUPPORT".
"""

from typing import TYPE_CHECKING

from extras.irc.bans import LISTS, MAX_LIST
from extras.irc.client import Client
from extras.irc.message import MAX_TEXT_BYTES
from extras.irc.names import CASEMAPPING, CHANNEL_LENGTH, CHANNEL_TYPES, NICK_LENGTH, USER_LENGTH, fits
from extras.irc.replies import (
    ERR_NOMOTD,
    ERR_NOSUCHSERVER,
    RPL_ENDOFMOTD,
    RPL_GLOBALUSERS,
    RPL_ISUPPORT,
    RPL_LOCALUSERS,
    RPL_LUSERCHANNELS,
    RPL_LUSERCLIENT,
    RPL_LUSERME,
    RPL_LUSEROP,
    RPL_LUSERUNKNOWN,
    RPL_MOTD,
    RPL_MOTDSTART,
    RPL_VERSION,
    page,
)
from extras.irc.state import STATUSES
from extras.irc.talk import MAX_TARGETS

if TYPE_CHECKING:
    from extras.irc.server import IrcServer

VERSION = "tutorial-1.0"  # RFC 2812 wants <version>.<debuglevel>
MAX_CONDITIONS = 20  # of one LIST: each is compared with each channel
TOKENS_A_LINE = 13  # 15 parameters, less the nick and the text


def lusers_page(server: str) -> str:
    """Give the lines of LUSERS, with names of numbers in place of them."""
    return page(
        server.replace("%", "%%"),
        (RPL_LUSERCLIENT, "%(visible)d", "%(invisible)d", 1),
        (RPL_LUSEROP, "%(operators)d"),
        (RPL_LUSERUNKNOWN, "%(strangers)d"),
        (RPL_LUSERCHANNELS, "%(channels)d"),
        (RPL_LUSERME, "%(users)d", 0),
        (RPL_LOCALUSERS, "%(users)d", "%(most)d"),
        (RPL_GLOBALUSERS, "%(users)d", "%(most)d"),
    )


def isupport_page(server: "IrcServer") -> str:
    """Give the lines of 005: the core and the extensions do what each token says."""
    signs = "".join(STATUSES.values())
    most = len(CHANNEL_TYPES) * server.max_channels
    extended = "".join(sorted(server.extensions.letters("extended_bans")))
    # Also what the commands in extras/irc/more do: so it is one list, in the order of the alphabet.
    tokens = [
        f"AWAYLEN={MAX_TEXT_BYTES}",
        "BOT=B",
        f"CASEMAPPING={CASEMAPPING}",
        "CHANLIMIT=" + ",".join(f"{sign}:{server.max_channels}" for sign in CHANNEL_TYPES),
        f"CHANMODES={LISTS},k,l,{server.channel_flags}",
        f"CHANNELLEN={CHANNEL_LENGTH}",
        f"CHANTYPES={CHANNEL_TYPES}",
        "ELIST=CMNTU",
        "EXCEPTS=e",
        "HOSTLEN=45",
        "INVEX=I",
        f"KICKLEN={MAX_TEXT_BYTES}",
        f"MAXLIST={LISTS}:{MAX_LIST}",
        "MODES=13",
        "NETWORK=" + server.network.replace(" ", r"\x20"),
        f"NICKLEN={NICK_LENGTH}",
        f"PREFIX=({''.join(STATUSES)}){signs}",
        f"STATUSMSG={signs}",
        f"TARGMAX=JOIN:{most},KICK:,LIST:{MAX_CONDITIONS},NAMES:,NOTICE:{MAX_TARGETS},PART:,PRIVMSG:{MAX_TARGETS}"
        + ",WHOIS:,WHOWAS:",
        f"TOPICLEN={MAX_TEXT_BYTES}",
        f"USERLEN={USER_LENGTH}",
        "WHOX",
        *["UTF8ONLY"] * server.utf8_only,
        *[f"EXTBAN=,{extended}"] * bool(extended),
        *(token for extension in server.extensions.all for token in extension.tokens()),
    ]
    starts = range(0, len(tokens), TOKENS_A_LINE)
    return page(server.name, *((RPL_ISUPPORT, " ".join(tokens[start : start + TOKENS_A_LINE])) for start in starts))


def isupport(me: Client) -> None:
    """Send 005: what this server can do.  modern.ircdocs.horse "Feature Advertisement"."""
    if "draft/extended-isupport" not in me.caps:
        me.reply_page(me.server.isupport)
        return
    with me.batch("draft/isupport"):
        me.reply_page(me.server.isupport)


def motd_page(server: str, lines: list[str]) -> str:
    """Give the lines of a message of the day."""
    return page(server, (RPL_MOTDSTART, server), *((RPL_MOTD, line) for line in lines), (RPL_ENDOFMOTD,))


def motd(me: Client, target: str = "") -> None:
    """Show the message of the day.  RFC 2812 section 3.4.1."""
    if target and not is_here(me, target):
        return
    me.reply_page(me.server.motd() or page(me.server.name, (ERR_NOMOTD,)))


def lusers(me: Client, pattern: str = "", target: str = "") -> None:
    """Count users, operators and channels.  RFC 2812 section 3.4.2."""
    if target and not is_here(me, target):
        return
    world = me.world
    users, invisible = len(world.users), len(world.users_with("i"))
    me.reply_page(
        me.server.lusers
        % {
            "visible": users - invisible,
            "invisible": invisible,
            "operators": len(world.users_with("o")),
            "strangers": len(world.strangers),
            "channels": len(world.channels),
            "users": users,
            "most": world.most_users,
        }
    )


def version(me: Client, target: str = "") -> None:
    """Name the program, and what it can do.  RFC 2812 section 3.4.3."""
    if target and not is_here(me, target):
        return
    me.reply(RPL_VERSION, VERSION, me.server.name, "standard library only")
    isupport(me)


def is_here(me: Client, target: str) -> bool:
    """Return whether a server, given by name, mask or one of its users, is this one; if not, send 402."""
    here = fits(target, me.server.name) or me.world.user(target) is not None
    if not here:
        me.reply(ERR_NOSUCHSERVER, target)
    return here
