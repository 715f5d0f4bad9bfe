"""A block that takes too long ends its process, whatever it does; a worker is the first to go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HANGS = {
    "it waits": "threading.Event().wait()",
    "it computes": "while True: pass",
    "it computes and lets no other thread run": "re.match('(a+)+$', 'a' * 60 + 'b')",
    "it was told to stop and goes on": "signal.signal(signal.SIGTERM, signal.SIG_IGN); threading.Event().wait()",
}


def run(block: str) -> subprocess.CompletedProcess[str]:
    program = f"import re, signal, threading\nfrom node.watchdog import ended_after, go_first\n{block}"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
def test_what_hangs_is_ended_and_says_where_it_was(hang: str) -> None:
    done = run(f"with ended_after(0.3):\n    {hang}")
    assert done.returncode == 1
    assert "Timeout" in done.stderr and 'File "<string>", line 4' in done.stderr


def test_what_is_done_in_time_goes_on() -> None:
    done = run("import time\nwith ended_after(0.2):\n    pass\ntime.sleep(0.5)\nprint('went on')")
    assert (done.returncode, done.stdout.strip()) == (0, "went on")


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="Linux alone has it")
def test_the_machine_ends_a_worker_before_it_ends_the_listener() -> None:
    done = run("go_first()\nprint(open('/proc/self/oom_score_adj').read())")
    assert done.stdout.strip() == "1000"
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 1000
