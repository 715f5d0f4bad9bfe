"""``[tls]`` of config.toml: DICOM over TLS, with certificates of both sides (PS3.15 B.12)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from node.config_errors import Section, refuse
from node.config_values import PortOrNone, path_or_none

PemFile = Annotated[
    Path | None,
    BeforeValidator(path_or_none),
    Field(description='"" or a PEM file in quotes; relative to this file\'s folder'),
]


class Tls(Section):
    """``[tls]``: where TLS is spoken, what we present, and whom we believe. Without files nothing is encrypted."""

    port: PortOrNone = 0
    certificate: PemFile = None
    key: PemFile = None
    authorities: PemFile = None

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if not self.port and self.certificate is self.key is self.authorities is None:
            return self
        for name in ("certificate", "key", "authorities"):
            if getattr(self, name) is None:
                refuse(f"tls.{name}", "", "a PEM file: port, certificate, key and authorities belong together")
        return self

    @property
    def is_set_up(self) -> bool:
        return self.certificate is not None

    def files(self) -> tuple[Path, Path, Path]:
        """Certificate, key and authorities. Only where it is set up."""
        assert self.certificate is not None and self.key is not None and self.authorities is not None
        return self.certificate, self.key, self.authorities

    def within(self, folder: Path) -> Tls:
        """The same with absolute paths."""
        if not self.is_set_up:
            return self
        certificate, key, authorities = (folder / path for path in self.files())
        return self.model_copy(update={"certificate": certificate, "key": key, "authorities": authorities})
