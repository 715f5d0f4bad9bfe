"""What a process has made durable at each answer that it gave, read from strace's record of its system calls.

A file survives a power cut once its bytes are flushed, it has its name, and the folder is flushed after that. Whatever
else was written may be gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CALLS = "fsync,fdatasync,rename,renameat,renameat2,sendto,sendmsg"
COMMAND = ("--follow-forks", "--decode-fds=path", "--seccomp-bpf", "--string-limit=8", f"--trace={CALLS}")
P_DATA = r"\4\0"  # PDU type 04H and a reserved byte (PS3.8 Table 9-22), as strace writes them

_LINE = re.compile(r"^(?P<thread>\d+) +(?P<rest>.*)$")
_UNFINISHED, _RESUMED = " <unfinished ...>", re.compile(r"^<\.\.\. (?P<call>\w+) resumed>")
_FLUSH = re.compile(r"^f(data)?sync\(\d+<(?P<path>[^>]+)>\) += 0$")
_RENAME = re.compile(
    r'^rename\w*\((?:AT_FDCWD[^,]*, )?"(?P<old>[^"]+)", (?:AT_FDCWD[^,]*, )?"(?P<new>[^"]+)".*\) += 0$'
)
_SEND = re.compile(r'^send(to|msg)\(\d+<socket:[^>]+>, "(?P<begin>[^"]*)"')


@dataclass
class Disk:
    """What would be there after a power cut."""

    flushed: set[Path] = field(default_factory=set)
    named: set[Path] = field(default_factory=set)
    durable: set[Path] = field(default_factory=set)

    def flush(self, path: Path) -> None:
        self.flushed.add(path)
        arrived = {name for name in self.named if name.parent == path}
        self.durable |= arrived
        self.named -= arrived

    def rename(self, old: Path, new: Path) -> None:
        if old in self.flushed:
            self.named.add(new)


def durable_at_answers(trace: str) -> Iterator[frozenset[Path]]:
    """The files that are durable at every P-DATA-TF PDU that the process sends, in order."""
    disk = Disk()
    for call in calls(trace.splitlines()):
        if flush := _FLUSH.match(call):
            disk.flush(Path(flush["path"]))
        elif rename := _RENAME.match(call):
            disk.rename(Path(rename["old"]), Path(rename["new"]))
        elif (sent := _SEND.match(call)) and sent["begin"].startswith(P_DATA):
            yield frozenset(disk.durable)


def calls(lines: Sequence[str]) -> Iterator[str]:
    """Each call as one line: a flush and a renaming where it has returned, a sending where it began."""
    begun: dict[str, str] = {}
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        thread, rest = found["thread"], found["rest"]
        if rest.endswith(_UNFINISHED):
            begun[thread] = rest.removesuffix(_UNFINISHED)
            if _SEND.match(rest):
                yield begun.pop(thread)
        elif resumed := _RESUMED.match(rest):
            if thread in begun:
                yield begun.pop(thread) + rest[resumed.end() :]
        else:
            yield rest
