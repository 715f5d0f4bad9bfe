"""Masks that others drew: SEG and RTSTRUCT onto the T2 grid."""
