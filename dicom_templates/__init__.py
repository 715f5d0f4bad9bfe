"""Findings into DICOM: SEG, Structured Report and a one-page summary, each re-read and checked before it leaves."""
