"""What can go wrong between findings and DICOM objects. All of it is permanent for the same findings."""

from __future__ import annotations


class TemplateError(Exception):
    """Findings that cannot be encoded as they are: the caller broke an assumption that the message names."""


class ResultUnfit(TemplateError):
    """An object was built, and re-reading it showed that it does not say what the findings say."""
