"""What logs call a patient: logs travel to collectors and support desks, and never have a name or an ID."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from node.durable import made_once

_KEY = "pseudonym.key"
_DIGITS = 12


@dataclass(frozen=True)
class Pseudonyms:
    """The same for a patient at each mention, and of no use to whoever has not this installation's key."""

    data_dir: Path

    def of(self, patient_id: str, issuer: str = "") -> str:
        """Twelve hexadecimal digits of the HMAC-SHA-256 (RFC 2104) of the patient's ID and its issuer."""
        text = f"{patient_id}\n{issuer}".encode()
        return hmac.new(self._key, text, "sha256").hexdigest()[:_DIGITS]

    @cached_property
    def _key(self) -> bytes:
        return bytes.fromhex(made_once(self.data_dir / _KEY, lambda: secrets.token_hex(32)))
