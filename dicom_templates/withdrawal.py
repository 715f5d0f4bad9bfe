"""A result that is taken back: what was sent of it, and why. The WITHDRAWN page and the rejection notes start here."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicom_templates.errors import TemplateError
from dicom_templates.identity import ResultIdentity


@dataclass(frozen=True)
class Withdrawal:
    """The objects of one version of a result, read without pixels, and the reason in words for a radiologist.

    ``objects``: what was sent in the rendering of ``identity``, at least one. ``identity``: that of the withdrawn
    result, its version too, with ``created`` the time of the withdrawal: a repeat gives the same objects.
    Raises TemplateError where nothing, the work of others or two patients would be withdrawn, or without a reason.
    """

    objects: tuple[Dataset, ...]
    reason: str
    identity: ResultIdentity

    def __post_init__(self) -> None:
        if not self.objects:
            raise TemplateError("a withdrawal needs the headers of the objects that were sent")
        if not self.reason.strip():
            raise TemplateError("a withdrawal needs a reason in words: a reader must know what was wrong")
        ids = {str(ds.get("PatientID", "")) for ds in self.objects}
        issuers = {str(ds.get("IssuerOfPatientID") or "") for ds in self.objects} - {""}  # blank says nothing
        if len(ids) > 1 or len(issuers) > 1:
            raise TemplateError(
                f"the objects of one result have one patient, not IDs {sorted(ids)} of {sorted(issuers)}"
            )
