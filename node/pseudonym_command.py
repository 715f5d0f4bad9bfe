"""`restage pseudonym`: which lines of the log are about this patient?"""

from __future__ import annotations

from typing import Annotated

import typer

from node.command import DEFAULT_CONFIG, ConfigOption, configured
from node.pseudonym import Pseudonyms


def pseudonym(
    patient_id: Annotated[str, typer.Argument(help="Patient ID, as the exams have it.")],
    issuer: Annotated[str, typer.Option(help="Issuer of Patient ID, where the exams have one.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """What this node's logs call a patient: they never have a name or an ID."""
    typer.echo(Pseudonyms(configured(config).node.data_dir).of(patient_id, issuer))
