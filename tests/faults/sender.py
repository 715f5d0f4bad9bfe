"""A PACS that sends with DCMTK's storescu, and remembers what it was told is safe."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.programs import program
from tests.running_node import NODE_TITLE, SENDER_TITLE

_SENDING = re.compile(r"Sending file: (?P<path>.+)$")
_ANSWER = re.compile(r"Received Store Response \((?P<status>[^)]+)\)")
SUCCESS = "Success"


@dataclass
class Sender:
    """``acknowledged``: the files that were answered with Success; ``refusals``: every other answer."""

    port: int
    acknowledged: set[Path] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)

    def send(self, paths: Sequence[Path]) -> bool:
        """Whether all of them were answered with Success."""
        command = [
            str(program("storescu", "dcmtk")),
            "--verbose",
            "--no-halt",
            "-aet",
            SENDER_TITLE,
            "-aec",
            NODE_TITLE,
        ]
        command += ["127.0.0.1", str(self.port), *map(str, paths)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        path = None
        done = set()
        for line in (said.stdout + said.stderr).splitlines():
            if found := _SENDING.search(line):
                path = Path(found["path"])
            elif (answer := _ANSWER.search(line)) and path is not None:
                if answer["status"] == SUCCESS:
                    done.add(path)
                else:
                    self.refusals.append(answer["status"])
        self.acknowledged |= done
        return done == set(paths)

    def sending(self, paths: Sequence[Path]) -> threading.Thread:
        """The same in the background."""
        thread = threading.Thread(target=self.send, args=(paths,))
        thread.start()
        return thread
