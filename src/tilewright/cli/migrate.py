"""tilewright migrate PATH..."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.showing import line
from tilewright.errors import KernelFileError
from tilewright.kernelfile import find_kernel, replace_file
from tilewright.source.migrate import diff, migrate


@click.command("migrate")
@click.argument("paths", nargs=-1, required=True)
@click.option("--write", is_flag=True, help="Write the files; without it only the difference is shown.")
def command(paths: tuple[str, ...], write: bool) -> int:
    """Rewrite kernels made for older TileLang so that the installed version takes them.

    PATHS are kernel files or folders. Formatting and comments stay as they are.
    """
    changed = 0
    files = [file for name in paths for file in _files(name)]
    for path in files:
        try:
            source = path.read_text(encoding="utf-8")
            migration = migrate(source)
        except (UnicodeDecodeError, KernelFileError) as error:
            raise KernelFileError(f"{path}: {error}") from error
        if not migration.changes:
            continue
        changed += 1
        if write:
            replace_file(path, migration.source)
            click.echo(f"{path}: {len(migration.changes)} changes written", err=True)
        else:
            line(diff(source, migration.source, str(path)).rstrip("\n"))
        for change in migration.changes:
            click.echo(f"{path}:{change.line}: {change.what}", err=True)
    hint = "" if write or not changed else "; write them with --write"
    click.echo(f"{changed} of {len(files)} files need changes{hint}", err=True)
    return 0


def _files(name: str) -> list[Path]:
    path = Path(name)
    return sorted(path.rglob("*.py")) if path.is_dir() else [find_kernel(name)]
