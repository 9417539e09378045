"""tilewright bundle RUN"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import click

from tilewright.cli.showing import line
from tilewright.config import RESULTS_HELP
from tilewright.errors import UsageError


@click.command("bundle")
@click.argument("run")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@click.option("--results", type=click.Path(path_type=Path), default="results", show_default=True, help=RESULTS_HELP)
def command(run: str, out: Path | None, results: Path) -> None:
    """Pack what a bug report needs about RUN: an id, a unique prefix, a kernel's path, or `last`.

    A zip with kernel, settings, errors, history and versions: tilewright-RUN.zip unless --out says otherwise. Keys
    are taken out; look through it all the same, since your kernel is in it.
    """
    from tilewright.bundling import write_bundle
    from tilewright.lm.keys import keys_in
    from tilewright.store import existing_store

    with closing(existing_store(results)) as store:
        found = store.load(store.find(run))
        interactions = store.interactions(found.id)
    path = out or Path(f"tilewright-{found.id}.zip")
    try:
        names = write_bundle(found, interactions, path, keys_in(os.environ))
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}. Choose another place: --out FILE") from error
    line(str(path))
    click.echo(f"{len(names)} files; look through them before you share it", err=True)
