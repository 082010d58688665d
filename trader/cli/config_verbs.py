"""``trader config …``: what a settings file may say."""

import json

import click

from trader.cli import HintingGroup


@click.group("config", cls=HintingGroup)
def command() -> None:
    """Describe settings files."""


@command.command
def schema() -> None:
    """Print the JSON Schema of settings files, for editors that complete and check while typing."""
    from trader.config import schema as settings_schema

    click.echo(json.dumps(settings_schema(), indent=2, ensure_ascii=False))
