"""Values that several sections of config.toml have, each with the text of what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field


def check_ae_title(value: str) -> str:
    # PS3.5 6.2, VR AE: 16 bytes at most of the default repertoire, no backslash, no control character, not blank.
    title = value.strip(" ")
    if not 1 <= len(title) <= 16 or "\\" in title or not all(" " <= char <= "~" for char in title):
        raise ValueError("not an AE title")
    return title


def check_text(value: str) -> str:
    text = value.strip()
    if not text or not text.isprintable():
        raise ValueError("blank or with control characters")
    return text


def path_or_none(value: object) -> object:
    """A path in quotes; "" stands for none."""
    return Path(value) if isinstance(value, str) and value else None if value == "" else value


AETitle = Annotated[
    str,
    AfterValidator(check_ae_title),
    Field(description="1 to 16 characters of plain ASCII, not blank, without backslash or control characters"),
]
Host = Annotated[str, AfterValidator(check_text), Field(description="a host name or an IP address in quotes")]
Port = Annotated[int, Field(ge=1, le=65535, description="a whole number from 1 to 65535")]
PortOrNone = Annotated[int, Field(ge=0, le=65535, description="a whole number from 1 to 65535, or 0 to listen on none")]
Days = Annotated[int, Field(ge=0, le=36525, description="a whole number of days, 0 to 36525")]
Seconds = Annotated[float, Field(gt=0, le=86400, description="seconds, more than 0 and at most 86400")]
Switch = Annotated[bool, Field(description="true or false, without quotes")]
Folder = Annotated[Path, Field(strict=False, description="a folder in quotes; relative to this file's folder")]
