"""Print the reference of the command line as Markdown, from click's own objects.

    python docs/command_line.py > docs/reference/command-line.md

The text depends on the commands alone: not on the width of a terminal, the environment, or the version of click.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from tsn_batch.cli import cli

HEADER = """\
# Command line

<!-- Written by docs/command_line.py from the commands themselves. Do not edit: change the commands, then run it. -->"""
HELP = "- `-h, --help`: Show the help of `tsn` or of the command and exit."


def reference(group: click.Group) -> str:
    """The page: the group, the options that every command has, then the commands in alphabetical order."""
    shared = [param for param in group.params if isinstance(param, click.Option)]
    commands = sorted(group.commands.items())
    summaries = ((name, _paragraphs(command.help)[0].partition(". ")[0].rstrip(".")) for name, command in commands)
    blocks = [
        *(HEADER, *_paragraphs(group.help)),
        *("## Options of every command", "All but `--version` may stand before or after the name of the command."),
        "\n".join([*map(_option, shared), HELP]),
        *("## Commands", "\n".join(f"- [`tsn {name}`](#tsn-{name}): {summary}." for name, summary in summaries)),
    ]
    for name, command in commands:
        blocks += _command(name, command, {param.name for param in shared})
    return "\n\n".join(blocks) + "\n"


def _command(name: str, command: click.Command, shared: set[str | None]) -> Iterator[str]:
    """The blocks of one command, without the options that every command has."""
    arguments = (_argument(param) for param in command.params if isinstance(param, click.Argument))
    yield f"## tsn {name}"
    yield " ".join([f"    tsn {name}", "[OPTIONS]", *arguments])
    yield from _paragraphs(command.help)
    options = [param for param in command.params if isinstance(param, click.Option) and param.name not in shared]
    if options:
        yield "\n".join(map(_option, options))


def _argument(argument: click.Argument) -> str:
    value = _value(argument)
    return (value if argument.required else f"[{value}]") + ("..." if argument.nargs == -1 else "")


def _option(option: click.Option) -> str:
    """A list item: the option's forms and its value, what it does, then what else holds of it."""
    forms = ", ".join(option.opts) + ("" if option.is_flag else f" {_value(option)}")
    facts = []
    if option.required:
        facts.append("required")
    if isinstance(option.type, click.IntRange):
        facts.append(
            f"{option.type.min} or more" if option.type.max is None else f"{option.type.min} to {option.type.max}"
        )
    if isinstance(option.envvar, str):
        facts.append(f"environment: `{option.envvar}`")
    if option.show_default:
        facts.append(f"default: {option.default}")
    return " ".join([f"- `{forms}`:", *_paragraphs(option.help), *([f"[{'; '.join(facts)}]"] if facts else [])])


def _value(param: click.Parameter) -> str:
    """What stands for the value: its choices, or a word in capitals."""
    if isinstance(param.type, click.Choice):
        return "|".join(map(str, param.type.choices))
    return param.metavar or (param.name or "" if isinstance(param, click.Argument) else param.type.name).upper()


def _paragraphs(text: str | None) -> list[str]:
    """Paragraphs of a docstring, each on a line of its own."""
    return [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text or ""))]


if __name__ == "__main__":
    print(reference(cli), end="")
