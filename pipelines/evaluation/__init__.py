"""Judging a trained bundle on a cohort: figures, tables, pictures and a report."""
