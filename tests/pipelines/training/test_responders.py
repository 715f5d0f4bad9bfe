from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.cohort.cohort import Cohort
from pipelines.cohort.purpose import PURPOSES
from pipelines.cohort.read import CohortError
from pipelines.training.responders import demand_enough

COHORT = Cohort(Path("cohort"), (), "")


def test_too_few_patients_of_one_outcome_are_counted_and_what_is_needed_is_said() -> None:
    labels = np.arange(40) < 5
    with pytest.raises(CohortError, match="column 'complete_response': 5 usable patients have 1, 10 are needed"):
        demand_enough(COHORT, (), labels, PURPOSES["rp_net"], (3, 5))


def test_enough_patients_of_both_outcomes_pass() -> None:
    demand_enough(COHORT, (), np.arange(40) < 10, PURPOSES["rp_net"], (3, 5))
