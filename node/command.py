"""What the verbs of the command line share: the configuration that they are run against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from node.config import Config, load_config
from node.logs import configure_logs
from node.pseudonym import Pseudonyms

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The node's config.toml.", metavar="FILE")]
DEFAULT_CONFIG = Path("config.toml")


def configured(path: Path) -> Config:
    """Read a configuration, and send this process's events where it says. Raises ConfigError."""
    config = load_config(path)
    configure_logs(config.logs, Pseudonyms(config.node.data_dir))
    return config
