"""The statistics of an evaluation: pure functions, arrays in, frozen records with ``as_json`` out.

Where a figure cannot be had (a value missing, one class, too few events) its record says why; none is invented, and no
function raises for what a cohort may hold. Every interval is a 95 % interval.
"""
