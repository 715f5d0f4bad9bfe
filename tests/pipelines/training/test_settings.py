from __future__ import annotations

import pytest
import torch

from pipelines.training.settings import fixed_random_state


def test_the_random_state_of_the_caller_is_left_alone() -> None:
    torch.manual_seed(11)
    threads = torch.get_num_threads()
    expected = torch.rand(1)
    torch.manual_seed(11)
    with fixed_random_state(5, 1):
        torch.rand(100)
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads


def test_the_same_seed_gives_the_same_numbers_whatever_ran_before() -> None:
    drawn = []
    for before in (0, 7):
        torch.rand(before)
        with fixed_random_state(5, 1):
            drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[1]


def test_the_state_is_put_back_after_an_error_too() -> None:
    threads = torch.get_num_threads()
    with pytest.raises(KeyError), fixed_random_state(5, threads + 1):
        raise KeyError
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
