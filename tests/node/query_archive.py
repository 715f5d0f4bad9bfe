"""An archive that can be queried: it keeps what it is sent, and answers C-FIND, C-GET and C-MOVE as a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.dimse_primitives import C_FIND

from node.ask import STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE
from node.association import VERIFICATION

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
PATIENT = ("SpecificCharacterSet", "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")

UIDS = {
    "STUDY": ("StudyInstanceUID",),
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}
MORE = {
    "STUDY": (*PATIENT, "StudyDate", "StudyDescription"),
    "SERIES": ("Modality", "SeriesDescription", "Manufacturer"),
    "IMAGE": (),
}

Answers = Iterator[tuple[int, Dataset | None]]
Finder = Callable[[evt.Event], Answers]


@dataclass
class QueryArchive:
    """Objects by SOP Instance UID. ``find``, ``get`` and ``move`` take the place of its own answers.

    ``counts``: it answers with Number of Series Related Instances. ``destinations``: ports of this machine by AE title.
    """

    title: str = "PACS"
    storage: tuple[str, ...] = ()
    offers_find: bool = True
    offers_get: bool = True
    takes_roles: bool = True
    counts: bool = True
    destinations: dict[str, int] = field(default_factory=dict)
    objects: dict[str, Dataset] = field(default_factory=dict)
    find: Finder | None = None
    get: Callable[[evt.Event], Iterator[Any]] | None = None
    move: Callable[[evt.Event], Iterator[Any]] | None = None
    asked: list[str] = field(default_factory=list)
    silence: threading.Event = field(default_factory=threading.Event)

    def open(self) -> int:
        ae = AE(ae_title=self.title)
        ae.add_supported_context(VERIFICATION)
        if self.offers_find:
            ae.add_supported_context(STUDY_ROOT_FIND, SYNTAXES)
        if self.offers_get:
            ae.add_supported_context(STUDY_ROOT_GET, SYNTAXES)
        if self.destinations or self.move:
            ae.add_supported_context(STUDY_ROOT_MOVE, SYNTAXES)
            ae.requested_contexts = [build_context(uid, SYNTAXES) for uid in self.storage]
        for uid in self.storage:
            roles = {"scu_role": True, "scp_role": True} if self.takes_roles else {}
            ae.add_supported_context(uid, SYNTAXES, **roles)
        handlers = [
            (evt.EVT_C_STORE, self._keep),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_C_GET, self._get),
            (evt.EVT_C_MOVE, self._move),
        ]
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        assert server is not None
        self._entity = ae
        return int(server.socket.getsockname()[1])

    def close(self) -> None:
        self.silence.set()
        self._entity.shutdown()

    def put(self, *datasets: Dataset) -> None:
        for dataset in datasets:
            self.objects[dataset.SOPInstanceUID] = dataset

    def _keep(self, event: evt.Event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        self.put(dataset)
        return 0x0000

    def _find(self, event: evt.Event) -> Answers:
        self.asked.append(event.identifier.QueryRetrieveLevel)
        yield from self.find(event) if self.find else self._matches(event.identifier)

    def _matches(self, keys: Dataset) -> Answers:
        seen = set()
        for dataset in self._matching(keys):
            answer = answer_of(dataset, keys.QueryRetrieveLevel)
            if self.counts and keys.QueryRetrieveLevel == "SERIES":
                of_series = [one for one in self.objects.values() if one.SeriesInstanceUID == dataset.SeriesInstanceUID]
                answer.NumberOfSeriesRelatedInstances = len(of_series)
            if (found := str(answer)) not in seen:
                seen.add(found)
                yield 0xFF00, answer

    def _matching(self, keys: Dataset) -> list[Dataset]:
        unique = [k for k in (*UIDS["IMAGE"], "PatientID") if keys.get(k)]
        first, _, last = keys.get("StudyDate", "").partition("-")
        return [
            one
            for one in self.objects.values()
            if all(one[k].value == keys[k].value for k in unique) and first <= one.StudyDate <= (last or "9")
        ]

    def _get(self, event: evt.Event) -> Iterator[Any]:
        if self.get:
            yield from self.get(event)
            return
        matching = self._matching(event.identifier)
        yield len(matching)
        for dataset in matching:
            yield 0xFF00, dataset

    def _move(self, event: evt.Event) -> Iterator[Any]:
        if self.move:
            yield from self.move(event)
            return
        port = self.destinations.get(event.move_destination)
        if port is None:
            yield None, None
            return
        matching = self._matching(event.identifier)
        yield "127.0.0.1", port
        yield len(matching)
        for dataset in matching:
            yield 0xFF00, dataset


def answer_of(dataset: Dataset, level: str = "STUDY") -> Dataset:
    """What an archive that holds this object answers at a level."""
    answer = Dataset()
    answer.QueryRetrieveLevel = level
    for keyword in (*UIDS[level], *MORE[level]):
        if keyword in dataset:
            setattr(answer, keyword, dataset[keyword].value)
    return answer


def garbage(event: evt.Event) -> Answers:
    """A pending response whose identifier is no data set."""
    response = C_FIND()
    response.MessageIDBeingRespondedTo = event.request.MessageID
    response.AffectedSOPClassUID = event.request.AffectedSOPClassUID
    response.Status = 0xFF00
    response.Identifier = BytesIO(b"\x08\x00\x52\x00\xff\xff\xff\x7fgarbage")
    event.assoc.dimse.send_msg(response, event.context.context_id)
    yield 0x0000, None
