"""The command `tsn`. Nothing heavy is imported at module level here: `tsn --help` answers at once."""

from __future__ import annotations

from typing import NoReturn

import click

from tsn import __version__
from tsn_batch.cli import cache, farm, key, learning, painting, rendering, styles
from tsn_batch.cli.group import TsnGroup
from tsn_batch.process.threads import set_passive_waiting

SHELLS = ("bash", "zsh", "fish")


@click.group(cls=TsnGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="tsn %(version)s")
def cli() -> None:
    """Paint a shot in a style that is stable over time: EXR in, EXR out.

    A value on the command line overrides the TSN_* variables; these override the shot file, and the shot file
    overrides the files of its sequence and show. Exit codes: 0 done, 2 wrong usage or shot file, 3 missing or
    damaged input, 4 device or memory, 5 can't write, 130 cancelled.
    """


for command in (
    *rendering.COMMANDS,
    *key.COMMANDS,
    *painting.COMMANDS,
    *learning.COMMANDS,
    *styles.COMMANDS,
    *farm.COMMANDS,
    cache.cache,
):
    cli.add_command(command)


@cli.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a completion script for a shell: `eval "$(tsn completion bash)"` installs it."""
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(cli, {}, "tsn", "_TSN_COMPLETE").source())


def main() -> NoReturn:
    """Run the console command `tsn`, and end the process with its exit code."""
    set_passive_waiting()
    cli.main()
