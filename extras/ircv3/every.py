"""Every extension, in the order in which their hooks are called: a new one is a new file and one line."""

from extras.irc.extension import Extension
from extras.irc.more.channel_list import ChannelList
from extras.irc.more.membership import Membership
from extras.irc.more.modes import Modes
from extras.irc.more.operators import Operators
from extras.irc.more.queries import Queries
from extras.irc.more.server_info import ServerInfo
from extras.irc.more.server_password import ServerPassword
from extras.ircv3.always import Always
from extras.ircv3.chathistory import ChatHistory
from extras.ircv3.cloak import Cloak
from extras.ircv3.database import HAS_SQLITE
from extras.ircv3.founders import Founders
from extras.ircv3.history import History
from extras.ircv3.isupport import Isupport
from extras.ircv3.labels import Labels
from extras.ircv3.listing import Listing
from extras.ircv3.login import Login
from extras.ircv3.metadata import Metadata
from extras.ircv3.missed import Missed
from extras.ircv3.monitor import Monitor
from extras.ircv3.multiline import Multiline
from extras.ircv3.mute import Mute
from extras.ircv3.nickserv import NickServ
from extras.ircv3.notify import Notify
from extras.ircv3.pre_away import PreAway
from extras.ircv3.read_marker import ReadMarker
from extras.ircv3.redaction import Redaction
from extras.ircv3.registered_only import RegisteredOnly
from extras.ircv3.relay import Relay
from extras.ircv3.rename import Rename
from extras.ircv3.sasl import Sasl
from extras.ircv3.secure import Secure
from extras.ircv3.session_host import SessionHost
from extras.ircv3.signup import Signup
from extras.ircv3.standard_replies import StandardReplies
from extras.ircv3.storage import Storage
from extras.ircv3.sts import Sts
from extras.ircv3.tags import Tags
from extras.ircv3.znc_playback import ZncPlayback

EXTENSIONS: tuple[type[Extension], ...] = (
    Membership,
    Modes,
    ChannelList,
    Queries,
    ServerInfo,
    Operators,
    Tags,
    Labels,
    StandardReplies,
    Notify,
    Listing,
    Monitor,
    Isupport,
    PreAway,
    Rename,
    Multiline,
    Relay,
    Mute,
    Storage,
    Secure,
    Cloak,
    Sts,
)
if HAS_SQLITE:  # a Python may be built without it
    EXTENSIONS += (
        Login,
        Sasl,
        Signup,
        NickServ,
        RegisteredOnly,
        Metadata,
        History,
        ChatHistory,
        Redaction,
        Founders,
        Missed,
        Always,
        SessionHost,
        ReadMarker,
        ZncPlayback,
    )
EXTENSIONS += (ServerPassword,)  # last: while a password is checked, others may come in between
