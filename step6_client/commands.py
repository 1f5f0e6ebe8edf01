"""What a person types becomes lines for the server; what the server says becomes text for a person.

No socket and no terminal.  An extra adds to the two tables, COMMANDS and EVENTS, in a subclass.

    target   the start of the request that plain text completes: with "MSG bob", plain text goes to bob
"""

import unicodedata
from typing import NamedTuple

from step6_client.chat_client import Event, Reply

# A zero-width joiner and non-joiner: invisible like the others of their category, but Persian and
# Hindi words and many emoji are made with them, and they cannot move any other text.
JOINERS = "\u200c\u200d"


class Action(NamedTuple):
    """What a typed line leads to: any of these."""

    send: str = ""  # a line for the server
    show: str = ""  # a text for the person
    waits: bool = False  # what she types next depends on the reply
    ends: bool = False  # nothing more is to be read


class Commands:
    """The commands of one person's client, and the little that they remember.

    `/word` calls `do_word` with the arguments that COMMANDS names; the last one takes the rest of the
    line, and one in [brackets] may be missing.  The docstring of `do_word` is its line in /help.
    """

    COMMANDS: dict[str, str] = {"msg": "NAME TEXT", "raw": "LINE", "help": "", "quit": ""}
    EVENTS: dict[str, str] = {"MSG": "{}: {}"}  # verb -> how its words are shown; the last {} takes the rest

    def __init__(self) -> None:
        self.target = "LOGIN"  # at first plain text is one's name, until the server has accepted one

    @property
    def prompt(self) -> str:
        """What stands before the typed line: where plain text will go."""
        if self.target == "LOGIN":
            return "name: "
        return visible(self.target).rpartition(" ")[2] + "> "

    def parse_input(self, text: str) -> Action:
        """Say what a typed line leads to."""
        if not text.strip():
            return Action()
        if not text.startswith("/"):
            return self.say(text)
        word, _, rest = text[1:].partition(" ")
        if word not in self.COMMANDS:
            return Action(show=f"! there is no /{visible(word)}; /help says what there is")
        shape = self.COMMANDS[word].split()
        arguments = rest.split(" ", max(len(shape) - 1, 0)) if rest.strip() else []
        needed = [name for name in shape if not name.startswith("[")]
        if not len(needed) <= len(arguments) <= len(shape) or not all(map(str.strip, arguments)):
            return Action(show=f"! usage: /{word} {self.COMMANDS[word]}".rstrip())
        action: Action = getattr(self, "do_" + word)(*arguments)
        return action

    def say(self, text: str) -> Action:
        """Complete the target with plain text."""
        if not self.target:
            return Action(show="! to whom? /msg NAME TEXT first, then plain text goes there too")
        return Action(send=f"{self.target} {text}", waits=self.target == "LOGIN")

    def do_msg(self, name: str, text: str) -> Action:
        """Say TEXT to NAME; plain text then goes there too."""
        if self.target != "LOGIN":
            self.target = f"MSG {name}"
        return Action(send=f"MSG {name} {text}")

    def do_raw(self, line: str) -> Action:
        """Send LINE to the server just as it is."""
        return Action(send=line)

    def do_help(self) -> Action:
        """Show this list."""
        lines = [
            f"/{word} {shape}".ljust(20) + (getattr(self, "do_" + word).__doc__ or "")
            for word, shape in self.COMMANDS.items()
        ]
        return Action(show="\n".join(lines))

    def do_quit(self) -> Action:
        """Log out and leave; Ctrl-D leaves too."""
        return Action(send="LOGOUT", ends=True)

    def heed(self, reply: Reply) -> None:
        """Learn from a reply: once a name is accepted, plain text is no longer a name.

        And none goes to a user who is not there; nor to whom it went before, for whom it is not meant.
        """
        if reply.code == "no-such-user" and f"{reply.request} ".startswith(f"{self.target} "):
            self.target = ""
        if reply.ok and verb_of(reply.request) == "LOGIN" and self.target == "LOGIN":
            self.target = ""

    def render(self, said: Reply | Event) -> str:
        """Return what to show for a reply or an event, "" for nothing; safe for any terminal."""
        if isinstance(said, Event):
            return visible(self._render_event(said.line))
        if said.ok:
            return visible(f"* {said.text}" if said.text else "")
        answers = f"  [{said.request}]" if said.request else ""
        return visible(f"! {said.code}: {said.text}{answers}")

    def _render_event(self, line: str) -> str:
        verb, _, rest = line.partition(" ")
        template = self.EVENTS.get(verb, "")
        fields = rest.split(" ", max(template.count("{}") - 1, 0))
        if not template or len(fields) != template.count("{}"):
            return f"? {line}"  # unknown to us, and better shown than lost
        return template.format(*fields)


def verb_of(request: str) -> str:
    """Return the first word of a request, in capitals."""
    return request.partition(" ")[0].upper()


def visible(text: str) -> str:
    r"""Return text with control characters spelled out: ESC as \x1b; tab stays.

    A terminal obeys the characters of category Cc (ESC starts commands; U+009B does in some), and
    those of Cf, Zl and Zp that turn the writing direction or break the line: none may come from a peer.
    Source: Unicode Standard Annex 9 (bidirectional controls); ECMA-48 (C0 and C1).
    """
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in JOINERS + "\t"
        else char
        for char in text
    )
