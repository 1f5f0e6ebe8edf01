"""Solution: GET /health: how many users are online."""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the repo root, so extras is found

from extras.web.server import PAGE, WebServer, parser
from extras.web.website import Website, http_answer
from step1_echo.serving import main


class HealthWebsite(Website):
    """The page, and `/health`, which answers `2 online` as text/plain; only GET and HEAD, as ever."""

    count: Callable[[], int]  # how many users are online

    def answer(self, method: str, path: str, host: str) -> bytes:
        if method in ("GET", "HEAD") and path.partition("?")[0] == "/health":
            body = f"{self.count()} online\n".encode()
            return http_answer(200, "text/plain", body, without_body=method == "HEAD")
        return super().answer(method, path, host)


class HealthServer(WebServer):
    """Serve a chat that tells how it is."""

    website_class = HealthWebsite

    def open_web(self, address, website=None):
        website = website or HealthWebsite(PAGE)
        website.count = lambda: len(self.registry.names())
        super().open_web(address, website)


if __name__ == "__main__":
    sys.exit(main(HealthServer, parser("Serve a chat that tells how it is.")))
