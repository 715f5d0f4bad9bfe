"""One object that a peer stores here, whoever opened the association: checked, kept, and only then answered.

PS3.4 Annex B as SCP: at the listener, and as the storage SCP of a C-GET of ours (PS3.4 C.4.3).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import cast

import structlog
from pydicom import Dataset
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE

from node.arrivals import Arrivals
from node.errors import ObjectError, StoreError
from node.fast_store import arrived
from node.objects import MISMATCH, Announced, drafted_facts
from node.store import Store

log = structlog.get_logger()
_lines = logging.getLogger(__name__)

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700  # PS3.4 Table B.2-1


@dataclass(frozen=True)
class Intake:
    """``arrivals``: what each association has brought."""

    store: Store
    arrivals: Arrivals

    def take(self, event: evt.Event, title: str, only_study: str = "") -> int | Dataset:
        """Bytes to disk, then Success. Every refusal carries its reason in the Error Comment (0000,0902).

        ``only_study``: no object of another study was asked for.
        """
        incoming = arrived(event) or self.store.incoming(event.encoded_dataset())
        try:
            draft = incoming.whole()
            facts = drafted_facts(draft, _announced(event))
            if only_study and facts.study_uid != only_study:
                raise ObjectError(MISMATCH, f"study {facts.study_uid} was not asked for")
            kept = self.store.keep(draft, facts, title)
        except ObjectError as error:
            return self.refuse(event, error.status, str(error), title)
        except StoreError as error:
            return self.refuse(event, OUT_OF_RESOURCES, str(error), title)
        except OSError as error:
            return self.refuse(event, OUT_OF_RESOURCES, f"cannot be read again: {error}", title)
        finally:
            incoming.discard()
        self.arrivals.kept(event.assoc, facts)
        if _lines.isEnabledFor(logging.DEBUG):  # asked first: a line that nobody wants takes as long as a header
            log.debug("object.kept", sop_uid=facts.sop_uid, study_uid=facts.study_uid, peer=title, kept=kept.name)
        return SUCCESS

    def refuse(self, event: evt.Event, status: int, comment: str, title: str) -> Dataset:
        """A C-STORE response dataset with status and comment (LO, at most 64 characters)."""
        log.warning("object.refused", peer=title, status=f"0x{status:04X}", reason=comment)
        self.arrivals.refused(event.assoc, comment)
        response = Dataset()
        response.Status = status
        response.ErrorComment = comment[:64]
        return response


def _announced(event: evt.Event) -> Announced:
    """What a C-STORE request says is coming."""
    request = cast(C_STORE, event.request)
    return Announced(str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID))
