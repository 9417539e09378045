"""tilewright serve"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import click

from tilewright.cli.showing import line
from tilewright.config import RESULTS_HELP
from tilewright.errors import MissingDependency, UsageError

TOKEN_VARIABLE = "TILEWRIGHT_SERVE_TOKEN"
"""A token of one's own."""


@click.command("serve")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to be reached at; another than this machine's own (0.0.0.0: from everywhere) asks for a token.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any that is free.")
@click.option("--open", "open_", is_flag=True, help="Show the page in the browser.")
def command(results: Path, host: str, port: int, open_: bool) -> None:
    """Show all runs in a browser while they go on; nothing can be changed from there.

    Prints the address. The token in it is drawn anew each time, unless TILEWRIGHT_SERVE_TOKEN holds one, which is
    then asked for on this machine too. Ctrl-C ends it; pages that are open go on when it is started again.
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise MissingDependency("starlette or uvicorn is not installed here.", "pip install 'tilewright[serve]'")
    from tilewright.serving.admission import admission, is_loopback, is_token
    from tilewright.serving.server import serve
    from tilewright.serving.site import Site

    token = os.environ.get(TOKEN_VARIABLE) or (None if is_loopback(host) else secrets.token_urlsafe(24))
    if token is not None and not is_token(token):
        raise UsageError(f"{TOKEN_VARIABLE} has to hold 16 ASCII characters or more; it holds {len(token)}.")
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    name = host if is_loopback(host) else socket.gethostname()
    address = f"http://{f'[{name}]' if ':' in name else name}:{port}/{f'?token={quote(token)}' if token else ''}"
    line(address)
    if open_:
        click.launch(address)
    with contextlib.suppress(KeyboardInterrupt):
        serve(Site(results), admission(host, port, token), listening)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"--host {host} --port {port} can't be listened at: {error.strerror}. Any free port: --port 0"
        ) from error
