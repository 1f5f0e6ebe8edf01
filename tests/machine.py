"""What not every machine has: fixtures that give it, or skip the test and say how to get it."""

import os
import shutil
import subprocess
import sys

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def chromium():
    """One browser for all tests of a file; each user has a context of her own, so nothing is shared."""
    pytest.importorskip("websockets", reason="websockets is not installed: pip install -r extras/web/requirements.txt")
    playwright = pytest.importorskip(
        "playwright.sync_api",
        reason="playwright is not installed: pip install -r extras/web/requirements-tests.txt",
    )
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt install chromium")
    playwright.expect.set_options(timeout=30_000)  # on a busy machine
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def namespaces():
    """Networks with a cable between them."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("network namespaces are for root on Linux")
    for tool, package in (("unshare", "util-linux"), ("ip", "iproute2")):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed (apt install {package})")
    tried = subprocess.run(["unshare", "--net", "ip", "link", "add", "near", "type", "veth"], capture_output=True)
    if tried.returncode:
        pytest.skip("this machine lets nobody make a network namespace with a cable")
