"""Six guided scenes: what is to be read, what is done, and what must be seen before it goes on.

A scene is data: director.py carries it out.

step   a text, and a plan: it is done when the plan is
plan   dicts, in order: with "do" a command; with "kind" an event that must come, and those fields of
       it that matter (a tuple: several events, in any order); with "let" threads that may pass the
       gate in turn, each at one event, until the events "until" have come; with "states" the states
       that lanes must be in when nothing happens any more
lane   here a key, which "as" has given to a connection that was added, or else its name
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Item = dict[str, Any]  # of a plan


class Step(NamedTuple):
    """A text for the learner, and what happens meanwhile."""

    text: str
    plan: tuple[Item | tuple[Item, ...], ...] = ()


class Scene(NamedTuple):
    """Some steps, which show one idea."""

    key: str
    title: str
    chapter: str  # where the idea is explained
    steps: tuple[Step, ...]


def server(name: str) -> Item:
    """Start a server of this kind, with nobody there."""
    return {"do": "server", "server": name}


def rate(events_a_second: float) -> Item:
    """Run in slow motion; 0: in real time."""
    return {"do": "rate", "rate": events_a_second}


def come_in(*names: str) -> tuple[Item, ...]:
    """Let users log in, one after the other, until each has had her answer."""
    return tuple(
        item for name in names for item in ({"do": "add", "name": name}, {"kind": "named", "lane": name}, reads(name))
    )


def send(lane: str, text: str) -> Item:
    """Send these bytes, in one piece."""
    return {"do": "send", "lane": lane, "data": text.encode().decode("latin-1"), "cuts": []}


def chunk(lane: str, text: str) -> Item:
    """Expect that one recv returns these bytes."""
    return {"kind": "chunk", "lane": lane, "data": text.encode().decode("latin-1")}


def line(lane: str, text: str) -> Item:
    """Expect that this line is taken out of the buffer."""
    return {"kind": "line", "lane": lane, "line": text.encode().decode("latin-1")}


def reads(lane: str) -> Item:
    """Expect that its thread waits for the peer again."""
    return {"kind": "state", "lane": lane, "state": "reads"}


def flood(lane: str, to: str) -> Item:
    """Send more than all buffers hold, in messages of a kilobyte."""
    return {"do": "flood", "lane": lane, "to": to, "lines": 200, "bytes": 1000}


def starts(text: str) -> Callable[..., bool]:
    """Match a text that begins like this."""
    return lambda found, lanes: found is not None and found.startswith(text)


def has(key: str) -> Callable[..., bool]:
    """Match a list in which this lane is."""
    return lambda found, lanes: lanes.get(key) in found


def let(keys: str, *until: Item, pace_s: float | None = None) -> Item:
    """Let only these threads pass the gate, in turn, until all this has come, and no further."""
    return {"let": tuple(keys.split()), "until": until, "pace_s": pace_s}


def looks(lane: str, found: bool) -> Item:
    """Expect that its thread looks whether a name is in the table."""
    return {"kind": "table", "lane": lane, "does": "looks", "found": found}


def takes(lane: str) -> Item:
    """Expect that its thread puts a name into the table."""
    return {"kind": "table", "lane": lane, "does": "takes"}


def reply(lane: str, text: str) -> Item:
    """Expect a reply that begins like this."""
    return {"kind": "reply", "lane": lane, "line": starts(text)}


def two_of_one_name(kind_of_server: str) -> tuple[Item, ...]:
    """Let two connections stand in their threads with `LOGIN alice` read, and no further."""
    return (
        server(kind_of_server),
        {"do": "add", "name": "", "as": "first"},
        {"kind": "connected", "lane": "first"},
        {"do": "add", "name": "", "as": "second"},
        {"kind": "connected", "lane": "second"},
        {"do": "pause"},
        send("first", "LOGIN alice\n"),
        let("first", chunk("first", "LOGIN alice\n")),
        send("second", "LOGIN alice\n"),
        let("second", chunk("second", "LOGIN alice\n")),
    )


def says_to_all(name: str, text: str) -> tuple[Item, ...]:
    """Let one user say something to all, and let her thread do all of its work; the postman stands still."""
    return (
        send(name, f"ALL {text}\n"),
        let(name, chunk(name, f"ALL {text}\n")),
        let(name, {"kind": "put", "by": name, "lane": "dave"}),
    )


SCENES = (
    Scene(
        "two_chunks",
        "A line in two chunks",
        "step4_framing",
        (
            Step(
                "Alice and Bob log in. Each has a lane, with a thread of the server that waits in recv for what"
                " she or he sends.",
                (server("chat"), rate(4), *come_in("alice", "bob")),
            ),
            Step(
                "Alice sends “MSG bob hel”, and nothing more yet. Her thread's recv returns it: a chunk. There is"
                " no \\n in it, so it is no line. The line buffer keeps it, and the thread waits in recv again.",
                (
                    send("alice", "MSG bob hel"),
                    chunk("alice", "MSG bob hel"),
                    {"kind": "kept", "lane": "alice", "lines": 0, "rest": "MSG bob hel"},
                    reads("alice"),
                ),
            ),
            Step(
                "Now “lo” and the \\n. With what was kept it is a whole line, and only now a request. It goes into"
                " Bob's outbox, and from there to Bob.",
                (
                    send("alice", "lo\n"),
                    chunk("alice", "lo\n"),
                    line("alice", "MSG bob hello"),
                    {"kind": "request", "lane": "alice", "verb": "MSG"},
                    {"kind": "put", "lane": "bob", "by": "alice", "data": "MSG alice hello\n"},
                    {"kind": "sent", "lane": "bob"},
                ),
            ),
            Step(
                "A cut may be anywhere, also in the middle of a letter: é is two bytes, and here one of them comes"
                " first. The buffer keeps bytes, not letters, so it does not mind.",
                (
                    {**send("alice", ""), "data": "MSG bob caf\xc3"},
                    {"kind": "kept", "lane": "alice", "lines": 0, "rest": "MSG bob caf\xc3"},
                    {**send("alice", ""), "data": "\xa9\n"},
                    line("alice", "MSG bob café"),
                    {"kind": "sent", "lane": "bob"},
                    rate(0),
                ),
            ),
        ),
    ),
    Scene(
        "one_chunk",
        "Two lines in one chunk",
        "step4_framing",
        (
            Step("Alice and Bob log in.", (server("chat"), rate(4), *come_in("alice", "bob"))),
            Step(
                "Alice's client sends two lines so fast that they arrive together: one recv, one chunk. The buffer"
                " finds two \\n in it. The lines are taken out and answered one after the other, each with the"
                " lock. Both leave for Bob with one send.",
                (
                    send("alice", "MSG bob one\nMSG bob two\n"),
                    chunk("alice", "MSG bob one\nMSG bob two\n"),
                    {"kind": "kept", "lane": "alice", "lines": 2, "rest": ""},
                    line("alice", "MSG bob one"),
                    {"kind": "put", "lane": "bob", "data": "MSG alice one\n"},
                    line("alice", "MSG bob two"),
                    {"kind": "put", "lane": "bob", "data": "MSG alice two\n"},
                    {"kind": "sent", "lane": "bob", "bytes": len("MSG alice one\nMSG alice two\n")},
                ),
            ),
            Step(
                "A line and a half: the whole one is answered, the half one is kept.",
                (
                    send("alice", "MSG bob three\nMSG bob fo"),
                    {"kind": "kept", "lane": "alice", "lines": 1, "rest": "MSG bob fo"},
                    line("alice", "MSG bob three"),
                    {"kind": "sent", "lane": "bob"},
                ),
            ),
            Step(
                "And the other half.",
                (send("alice", "ur\n"), line("alice", "MSG bob four"), {"kind": "sent", "lane": "bob"}, rate(0)),
            ),
        ),
    ),
    Scene(
        "freeze",
        "The naive freeze",
        "step5_server",
        (
            Step(
                "This is the server that sends to others under the lock, as you have typed it before there were"
                " outboxes. Mallory and Alice log in.",
                (server("naive"), rate(4), *come_in("mallory", "alice")),
            ),
            Step(
                "Mallory stops reading, and Alice writes to her: a kilobyte, and again. It goes well until the"
                " kernel's buffers for Mallory are full. Then Alice's thread waits in its send to Mallory, and has"
                " the lock.",
                (
                    rate(40),
                    {"do": "stop_reading", "lane": "mallory"},
                    flood("alice", "mallory"),
                    {"kind": "sent", "lane": "mallory", "bytes": 0},  # the kernel takes nothing
                    {"states": {"alice": "sends"}},
                ),
            ),
            Step(
                "Bob comes, who has nothing to do with either. For LOGIN his thread wants the lock, and now it"
                " waits, too. So will everybody who wants anything. Nobody can do anything about it but Mallory.",
                (
                    {"do": "add", "name": "bob"},
                    {"kind": "state", "lane": "bob", "state": "wants"},
                    {"states": {"alice": "sends", "bob": "wants"}},
                ),
            ),
            Step(
                "Mallory reads again. Alice's send comes back, she lets go of the lock, and Bob gets it.",
                ({"do": "read_again", "lane": "mallory"}, {"kind": "named", "lane": "bob", "name": "bob"}, rate(0)),
            ),
        ),
    ),
    Scene(
        "slow_consumer",
        "The bounded outbox and the slow consumer",
        "step5_server",
        (
            Step(
                "The same guests at the full server. What is meant for somebody else goes into her outbox.",
                (server("chat"), rate(4), *come_in("mallory", "alice")),
            ),
            Step(
                "Mallory stops reading, and Alice writes to her. First the kernel's buffers fill. When they are"
                " full, Mallory gets a thread that waits for her, the drainer, and what it cannot send waits in"
                " her outbox. Alice's thread does not wait in a send. (Here we stop it for a moment.)",
                (
                    {"do": "pause"},
                    {"do": "stop_reading", "lane": "mallory"},
                    flood("alice", "mallory"),
                    let("alice", {"kind": "drainer", "lane": "mallory", "runs": True}, pace_s=0.03),
                ),
            ),
            Step(
                "Bob comes, and does a step for each of Alice's. The lock is free between two requests of hers, so"
                " he gets it soon.",
                (
                    {"do": "add", "name": "bob"},
                    let("alice bob", {"kind": "named", "lane": "bob"}, pace_s=0.2),
                    let("alice bob", reads("bob"), pace_s=0.2),
                ),
            ),
            Step(
                "On. The outbox has a bound, and when more than that waits, Mallory is a slow"
                " consumer: she is cut off. Her thread wakes up in recv and frees her name. Then Alice is told that"
                " nobody has it.",
                (rate(40), {"kind": "cut", "lane": "mallory"}, reply("alice", "ERR no-such-user")),
            ),
            Step("Bob has not noticed anything.", (send("bob", "HELP\n"), reply("bob", "OK LOGIN"), rate(0))),
        ),
    ),
    Scene(
        "race",
        "A race for a name, without the lock and with it",
        "step5_server",
        (
            Step(
                "This is the server without a lock. Two connections say LOGIN alice, in the same moment. Both threads"
                " have read it, and stand still.",
                two_of_one_name("race"),
            ),
            Step(
                "They go on in turn, which may happen at any time. The first one looks into the table: alice is free."
                " The second one looks: still free. Both take it, and both are welcome.",
                (
                    let("first", looks("first", found=False)),
                    let("second", looks("second", found=False)),
                    let("first", takes("first")),
                    let("second", takes("second")),
                    let("first", reply("first", "OK"), reads("first")),
                    let("second", reply("second", "OK"), reads("second")),
                    rate(0),
                ),
            ),
            Step(
                "Carol writes to alice. Only the one who was last is in the table: the other has a name, and hears"
                " nothing.",
                (
                    *come_in("carol"),
                    send("carol", "MSG alice which of you?\n"),
                    {"kind": "sent", "lane": "second", "bytes": len("MSG carol which of you?\n")},
                ),
            ),
            Step("Now the same with a lock. Again two connections have read LOGIN alice.", two_of_one_name("naive")),
            Step(
                "The first thread takes the lock, looks, and stands still between looking and taking. The second one"
                " may run as long as it likes: it waits for the lock.",
                (
                    let("first", looks("first", found=False)),
                    let("second", {"kind": "state", "lane": "second", "state": "wants"}),
                    let("second", {"kind": "lock", "holder": "first", "queue": has("second")}),
                ),
            ),
            Step(
                "The first one takes the name and lets go of the lock. The second one gets it, looks, and finds that"
                " the name is taken. To look and to take have become one step.",
                (
                    let("first", takes("first")),
                    let(
                        "first second",
                        {"kind": "lock", "holder": "second"},
                        looks("second", found=True),
                        reply("second", "ERR name-taken"),
                        reads("first"),
                        reads("second"),
                    ),
                    rate(0),
                ),
            ),
        ),
    ),
    Scene(
        "postman",
        "The postman gathers messages",
        "extras/broadcast",
        (
            Step(
                "Four users of the rooms server. What one says to all goes into three outboxes, and into her own the"
                " OK.",
                (
                    server("rooms"),
                    rate(0),
                    *come_in("alice", "bob", "carol"),
                    {"do": "add", "name": "dave"},
                    {"kind": "named", "lane": "dave"},
                    # His welcome leaves with the news of him for all others.
                    (reads("dave"), {"kind": "sent", "lane": "dave"}),
                    {"do": "pause"},
                    let("postman", {"kind": "postman", "state": "sleeps"}),
                ),
            ),
            Step(
                "Alice says something to all. Her thread puts it into the outboxes, and does not send it: it wakes the"
                " postman, who is about to go past all of them. Here we stop him at the door.",
                (*says_to_all("alice", "one"), let("alice", reads("alice"), {"kind": "postman", "state": "walks"})),
            ),
            Step(
                "Meanwhile Bob and Carol say something, too. In Dave's outbox, three lines have come together.",
                (
                    *says_to_all("bob", "two"),
                    let("bob", reads("bob")),
                    *says_to_all("carol", "three"),
                    let("carol", reads("carol")),
                ),
            ),
            Step(
                "The postman goes. For Dave, who gets three lines, he needs one send.",
                (
                    let(
                        "postman",
                        {"kind": "sent", "lane": "dave", "bytes": len("ALL alice one\nALL bob two\nALL carol three\n")},
                    ),
                    rate(0),
                ),
            ),
        ),
    ),
)
