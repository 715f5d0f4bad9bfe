"""What a job made, durably on disk before the ledger names it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_templates.encode import encode
from dicom_templates.kinds import Kind, Result, named
from dicom_templates.profile import Rendering
from node.durable import write_durably
from node.records import JobTicket, ResultFile, Task
from node.store import Store
from pipelines.contract import Findings
from pipelines.findings_json import findings_json


@dataclass(frozen=True)
class Keeper:
    """The folder of one attempt at one job."""

    store: Store
    ticket: JobTicket

    @property
    def folder(self) -> Path:
        ticket = self.ticket
        what = "-withdrawal" if ticket.task is Task.WITHDRAW else ""
        # The token keeps a worker that lost its lease from writing over what the new holder made.
        return self.store.results / f"pair{ticket.pair_id:06d}-v{ticket.version:03d}{what}-{ticket.claim.token[:8]}"

    def keep_findings(self, findings: Findings) -> None:
        """All that was found, also what does not leave this node."""
        text = json.dumps(findings_json(findings), indent=1, sort_keys=True)
        write_durably(self.folder / "findings.json", text.encode())

    def keep(self, results: Sequence[Result], rendering: Rendering) -> list[tuple[Kind, ResultFile]]:
        """The objects of one rendering; their bytes are what every delivery sends."""
        return [(result.kind, self._keep_one(name, result.dataset, rendering)) for name, result in named(results)]

    def _keep_one(self, name: str, dataset: Dataset, rendering: Rendering) -> ResultFile:
        encoded = encode(dataset)
        kind = name.partition("-")[0]
        path = self.folder / rendering.key / f"{name}.dcm"
        write_durably(path, encoded)
        return ResultFile(
            kind=kind,
            sop_uid=str(dataset.SOPInstanceUID),
            sop_class_uid=str(dataset.SOPClassUID),
            series_uid=str(dataset.SeriesInstanceUID),
            study_uid=str(dataset.StudyInstanceUID),
            path=path.relative_to(self.store.folder),
            digest=hashlib.sha256(encoded).hexdigest(),
            rendering=rendering.text,
        )
