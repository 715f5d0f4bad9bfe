"""Training of every system from a cohort folder; :mod:`pipelines.training.train` begins it."""
