"""A server that does not ask which page connects.  WRONG ON PURPOSE: server.py does.

A WebSocket is not kept to the page's own origin, as other requests are: the browser only tells
the server where the page is from, and leaves the rest to it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repo root, so step5_server is found

from extras.web.server import WebServer, parser
from extras.web.website import Website
from step1_echo.serving import main


class CarelessWebsite(Website):
    """The page, and a door for every page in the world."""

    def admits(self, origin: str | None, host: str) -> bool:
        """Let any page connect.  WRONG ON PURPOSE: with the user's own browser, inside her network."""
        return True


class CarelessServer(WebServer):
    """Serve chat users, and whoever is in another tab of their browsers."""

    website_class = CarelessWebsite


if __name__ == "__main__":
    sys.exit(main(CarelessServer, parser("Serve a chat to the pages of anybody (wrong!).")))
