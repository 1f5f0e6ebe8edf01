"""An extension: what one module adds to the server, so that the core reads without it.

It names capabilities and commands, and fills in the hooks that it needs.  Each server has an object
of each extension.  The hooks run under the world's lock, unless they say otherwise: nothing slow.

capability   what a client may ask for by name (IRCv3)
hook         a method that the core calls; here it does nothing
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from extras.irc.command import Command
from extras.irc.event import Event, TagsOf, Wording
from extras.irc.replies import Reply
from extras.irc.state import Channel, User

if TYPE_CHECKING:
    from extras.irc.client import Client, Response
    from extras.irc.server import IrcServer

# So that whoever asks for an extension, or calls a hook, has it with its own type.
E = TypeVar("E", bound="Extension")
P = ParamSpec("P")
R = TypeVar("R")


class CannotStart(ValueError):
    """What an extension needs is not there; the text is for whoever starts the server."""


class Capability(NamedTuple):
    """One capability."""

    name: str
    purpose: str
    value: Callable[[], str] | None = None  # what CAP LS 302 shows behind its name
    tags: TagsOf | None = None  # what it puts in front of a message
    is_policy: bool = False  # nobody can ask for it: it tells clients what to do, by its value


class Extension:
    """The base of all: it adds nothing."""

    capabilities: tuple[Capability, ...] = ()
    commands: Mapping[str, Command] = {}
    channel_flags = ""  # channel modes without a parameter that it adds
    user_modes = ""
    extended_bans = ""  # letters of the extended bans that it adds

    def __init__(self, server: IrcServer, options: argparse.Namespace):
        self.server, self.world, self.options = server, server.registry, options

    @staticmethod
    def add_flags(flags: argparse.ArgumentParser) -> None:
        """Add flags to the command line: they come back as `options`."""

    @staticmethod
    def is_wanted(options: argparse.Namespace) -> bool:
        """Whether a server with these flags has it at all."""
        return True

    def start(self) -> None:
        """Open files and start threads, before the first client.  Raises: CannotStart."""

    def stop(self) -> None:
        """Close them: all clients have gone."""

    def tokens(self) -> Iterable[str]:
        """Give the tokens of 005."""
        return ()

    def connected(self, me: Client) -> None:
        """A connection has begun."""

    def gone(self, me: Client) -> None:
        """A connection has ended."""

    def takes(self, me: Client, name: str, params: list[str]) -> bool:
        """Take a message with tags, if it is a part of something; then its command is not run."""
        return False

    def response(self, me: Client, tags: Mapping[str, str]) -> Response | None:
        """Give what collects the answer to a message with these tags; see labels.py."""
        return None

    def why_not_nick(self, me: Client, nick: str) -> Reply | None:
        """Give the numeric and its values if this client may not have this nick.

        It is asked at a NICK, and at the end of registration.
        """
        return None

    def shares(self, me: Client, user: User) -> bool:
        """Whether this client may become one more session of a user who is here.

        It is asked at NICK, when the client may still log in, and at the end of its registration.
        """
        return False

    def welcoming(self, me: Client) -> None:
        """A client gets its welcome; the message of the day comes next."""

    def catches_up(self, me: Client, user: User) -> Generator[None] | None:
        """Give what to do, with pauses, before a client becomes a session of this user; then others
        tell the client nothing meanwhile."""
        return None

    def registered(self, me: Client) -> None:
        """A client has had its welcome."""

    def completes(self, me: Client) -> None:
        """A client's registration has all that it waited for; hang up, and it does not get in.

        It may take its time, in `me.unlocked()`.
        """

    def logged_in(self, me: Client) -> None:
        """Our user has logged in, or to another account."""

    def keeps(self, me: Client, user: User) -> bool:
        """Whether a user stays here without a session: its last one, `me`, ends now."""
        return False

    def left(self, user: User) -> None:
        """A user is no longer here."""

    def introduce(self, me: Client, channel: Channel) -> None:
        """A client is about to get the names of a channel in which it is."""

    def joined(self, me: Client, channel: Channel) -> None:
        """A session has had what follows a JOIN; with several, each has."""

    def keeps_channel(self, channel: Channel) -> bool:
        """Whether a channel stays here without members."""
        return False

    def changed(self, channel: Channel, user: User | None) -> None:
        """A channel's topic or modes have changed; or this user's status there, which may be to be there."""

    def renamed(self, channel: Channel, old: str) -> None:
        """A channel has another name now."""

    def seen(self, me: Client, nick: str, online: bool) -> None:
        """A nick is taken, or free again."""

    def watched(self, me: Client, user: User) -> None:
        """A client watches this user from now on, who is here."""

    def friends(self, user: User) -> Iterable[Client]:
        """Give sessions elsewhere that are told what concerns this user: who is away, say."""
        return ()

    def about(self, me: Client, user: User) -> Iterable[Reply]:
        """Give numerics of WHOIS, each with its values behind the nick."""
        return ()

    def extended_ban(self, text: str) -> str | None:
        """Give the form of an extended ban (`a:name`) in which a list keeps it; None: not ours."""
        return None

    def matches(self, letter: str, pattern: str, user: User) -> bool | None:
        """Tell whether a mask of a list matches a user, if it is an extended ban of ours; else None."""
        return None

    def service(self, nick: str) -> Callable[[Client, str], None] | None:
        """Give what takes the messages to a service of this nick."""
        return None

    def why_not_speak(self, me: Client, channel: Channel, event: Event) -> Reply | None:
        """Give the numeric and its values if this client may not say this in the channel.

        It is not asked for a member of a channel without bans and with no other flags than `inpst`.
        """
        return None

    def why_not_speak_to(self, me: Client, user: User, event: Event) -> Reply | None:
        """Give the numeric and its values if this client may not say this to the user.

        It is asked if one of the two has a user mode.
        """
        return None

    def observe(self, event: Event, place: Channel | User) -> None:
        """Note an event, once for each channel or user that it concerns, in order.  Never wait."""


class Extensions:
    """A server's extensions, and all that they add."""

    def __init__(self, classes: Iterable[type[Extension]], server: IrcServer, options: argparse.Namespace):
        self.all = [extension(server, options) for extension in classes if extension.is_wanted(options)]
        self._hooks: dict[Callable[..., Any], tuple[Callable[..., Any], ...]] = {}
        self.capabilities = {one.name: one for extension in self.all for one in extension.capabilities}
        self.commands = {name: row for extension in self.all for name, row in extension.commands.items()}
        self._started: list[Extension] = []
        self.wording = Wording({one.name: one.tags for one in self.capabilities.values() if one.tags})

    def __getitem__(self, wanted: type[E]) -> E:
        """Give the server's object of an extension."""
        return next(extension for extension in self.all if type(extension) is wanted)

    def letters(self, name: str) -> str:
        """Give the letters of the modes that the extensions add."""
        return "".join(getattr(extension, name) for extension in self.all)

    def start(self) -> None:
        """Start all.  Raises: CannotStart; those that have started are stopped then."""
        try:
            for extension in self.all:
                extension.start()
                self._started.append(extension)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop those that have started, the last one first.  Twice does no harm."""
        while self._started:
            self._started.pop().stop()

    def hooks(self, hook: Callable[Concatenate[Extension, P], R]) -> tuple[Callable[P, R], ...]:
        """Give a hook, such as Extension.keeps, of each extension that fills it in."""
        if hook not in self._hooks:
            name = hook.__name__
            self._hooks[hook] = tuple(
                getattr(extension, name) for extension in self.all if getattr(type(extension), name) is not hook
            )
        return self._hooks[hook]

    def first(self, hook: Callable[Concatenate[Extension, P], R | None], *args: P.args, **kwargs: P.kwargs) -> R | None:
        """Ask each for the hook's answer; give the first that is not None."""
        for ask in self.hooks(hook):
            if (answer := ask(*args, **kwargs)) is not None:
                return answer
        return None
