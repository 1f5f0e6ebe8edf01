"""The servers that can be watched, by the names that the command line and the scenes have for them.

server = SERVERS["rooms"](("127.0.0.1", 9000), gate=Gate("rooms"))
"""

from extras.glass.rungs import NaiveServer, RaceServer, SmallServer
from extras.glass.watched import WatchedChat, WatchedRooms, WatchedServer

SERVERS: dict[str, type[WatchedServer]] = {
    "rooms": WatchedRooms,
    "chat": WatchedChat,
    "small": SmallServer,
    "naive": NaiveServer,
    "race": RaceServer,
}
