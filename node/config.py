"""config.toml, read into a frozen model. Every section may be left out; an empty file is a valid configuration.

An error is one line that names the file, the key, the value and what is allowed, so that the person who wrote the
file can mend it without this source. The text of what is allowed stands beside each field, as its description.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

import pipelines
from node.config_errors import Section, config_error, refuse
from node.config_values import AETitle, Days, Folder, Host, PortOrNone, Seconds, Switch, path_or_none
from node.errors import ConfigError
from node.match import MatchingRules
from node.peer import Peer, titled
from node.series_rule import SeriesRule
from node.tls_section import Tls
from pipelines.roles.site_rules import SiteRule

SHIPPED_BUNDLES = Path(pipelines.__file__).parent / "bundles"


def _check_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(str(error)) from error
    return value


def _check_database(value: str) -> str:
    if value and not re.fullmatch(r"sqlite:///.+", value):
        raise ValueError("not an SQLite URL")
    return value


class Node(Section):
    """``[node]``: this DICOM application entity and where it keeps what it holds."""

    ae_title: AETitle = "RESTAGE"
    # A PACS is another machine, so every interface; without a [[peer]] no calling AE title is accepted.
    host: Host = "0.0.0.0"
    port: PortOrNone = 11112
    data_dir: Folder = Path("data")
    database: Annotated[
        str,
        AfterValidator(_check_database),
        Field(description='"" for restage.sqlite in data_dir, or "sqlite:///" and a path'),
    ] = ""
    largest_object_mib: Annotated[int, Field(ge=1, le=4096, description="MiB (1024² bytes), 1 to 4096")] = 1024
    keep_free_gib: Annotated[float, Field(ge=0, le=100000, description="GiB (1024³ bytes), 0 to 100000")] = 1.0
    fast_ingest: Switch = True


class Settle(Section):
    """``[settle]``: when a study counts as complete."""

    quiet_seconds: Seconds = 60.0
    evidence_seconds: Seconds = 5.0
    gap_factor: Annotated[float, Field(ge=1, le=100, description="a number from 1 to 100")] = 3.0


class Matching(Section):
    """``[matching]``: which two exams make a pair; all in days between StudyDates."""

    min_interval_days: Days = 21
    max_interval_days: Days = 400
    same_timepoint_days: Days = 14
    episode_gap_days: Days = 730
    fetch_priors: Switch = True

    @model_validator(mode="after")
    def _windows_agree(self) -> Self:
        if self.same_timepoint_days >= self.min_interval_days:
            allowed = f"fewer than min_interval_days ({self.min_interval_days})"
            refuse("matching.same_timepoint_days", self.same_timepoint_days, allowed)
        if self.max_interval_days < self.min_interval_days:
            allowed = f"at least min_interval_days ({self.min_interval_days})"
            refuse("matching.max_interval_days", self.max_interval_days, allowed)
        if self.episode_gap_days < self.max_interval_days:
            allowed = (
                f"at least max_interval_days ({self.max_interval_days}), or pairs inside the window are torn apart"
            )
            refuse("matching.episode_gap_days", self.episode_gap_days, allowed)
        return self

    def rules(self) -> MatchingRules:
        """The same numbers as the pure matching takes them."""
        return MatchingRules(**self.model_dump(exclude={"fetch_priors"}))


class Priors(Section):
    """``[priors]``: how the baseline of a waiting exam is looked for at peers with ``queries = true``."""

    search_days: Days = 14
    again_seconds: Seconds = 300.0
    again_max_seconds: Seconds = 21600.0
    silence_seconds: Seconds = 900.0
    total_seconds: Seconds = 14400.0
    most_studies: Annotated[int, Field(ge=1, le=100, description="a whole number of studies, 1 to 100")] = 8


class Scoring(Section):
    """``[scoring]``: what scores a pair, where, and with which models."""

    device: Annotated[Literal["auto", "cpu", "cuda"], Field(description='"auto", "cpu" or "cuda"')] = "auto"
    systems: Annotated[
        tuple[Literal["signature_svm", "rp_net", "multi_rec_net", "dlrs_nomogram"], ...],
        Field(
            strict=False,
            description='a list of scoring systems out of "signature_svm", "rp_net", "multi_rec_net", "dlrs_nomogram"',
        ),
    ] = ("signature_svm", "rp_net", "multi_rec_net", "dlrs_nomogram")
    bundles: Annotated[
        Path | None,
        BeforeValidator(path_or_none),
        Field(description='"" for the shipped bundles, or a folder in quotes'),
    ] = None
    baseline_alone: Switch = True
    cache_gb: Annotated[float, Field(ge=0, le=10000, description="gigabytes, 0 to 10000; 0 keeps nothing")] = 5.0
    lease_seconds: Seconds = 120.0
    job_seconds: Seconds = 3600.0
    roi_pattern: Annotated[
        str, AfterValidator(_check_pattern), Field(min_length=1, description="a Python regular expression in quotes")
    ] = r"(?i)gtv|tumou?r|rectal ca"


class Results(Section):
    """``[results]``: what leaves this node, and how hard it tries to deliver it."""

    phantom_scores: Switch = False
    shadow: Switch = False
    retry_seconds: Seconds = 5.0
    retry_max_seconds: Seconds = 3600.0
    commitment_hours: Annotated[float, Field(gt=0, le=720, description="hours, more than 0, at most 720")] = 24.0
    give_up_after: Annotated[int, Field(ge=1, le=10000, description="a whole number of attempts, 1 to 10000")] = 80


class Audit(Section):
    """``[audit]``: the audit trail (PS3.15 A.5), on disk and at a repository."""

    trail: Switch = True
    repository: Annotated[
        str,
        Field(
            pattern=r"^((udp|tcp)://[^/:]+:[0-9]{1,5})?$",
            description='"" for none, or "udp://host:514" or "tcp://host:601"',
        ),
    ] = ""

    @model_validator(mode="after")
    def _there_is_what_is_forwarded(self) -> Self:
        if self.repository and not self.trail:
            refuse("audit.trail", self.trail, "true, or an empty repository: what is forwarded is the trail")
        return self


class Logs(Section):
    """``[logs]``: what is written to standard error."""

    level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description='"DEBUG", "INFO", "WARNING" or "ERROR"')
    ] = "INFO"
    json_lines: Annotated[bool, Field(alias="json", description="true or false, without quotes")] = False


class Config(Section):
    """All of config.toml. Paths are absolute where it was read by :func:`load_config`."""

    node: Node = Node()
    tls: Tls = Tls()
    peers: Annotated[
        tuple[Peer, ...], Field(alias="peer", strict=False, description="sections headed [[peer]], with two brackets")
    ] = ()
    series_rules: Annotated[
        tuple[SeriesRule, ...],
        Field(alias="series_rule", strict=False, description="sections headed [[series_rule]], with two brackets"),
    ] = ()
    settle: Settle = Settle()
    matching: Matching = Matching()
    priors: Priors = Priors()
    scoring: Scoring = Scoring()
    results: Results = Results()
    audit: Audit = Audit()
    logs: Logs = Logs()

    @model_validator(mode="after")
    def _peer_names_differ(self) -> Self:
        names = [peer.name for peer in self.peers]
        for position, name in enumerate(names):
            if name in names[:position]:
                refuse(f"peer[#{position + 1}].name", name, "a name that no other [[peer]] has")
        return self

    @model_validator(mode="after")
    def _tls_fits(self) -> Self:
        if not (self.node.port or self.tls.port):
            refuse("node.port", 0, "a whole number from 1 to 65535, or 0 with a [tls] port: nobody could call")
        if self.node.port == self.tls.port:
            refuse("tls.port", self.tls.port, "another port than [node] port")
        for peer in self.peers:
            if peer.tls and not self.tls.is_set_up:
                refuse(f"peer[{peer.name}].tls", True, "false, or certificate, key and authorities in [tls]")
            if peer.tls and peer.sends and not self.tls.port:
                refuse(f"peer[{peer.name}].tls", True, "false for a peer that sends, or a port in [tls] for it to call")
            peer.call_with(self.tls)
        return self

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the database."""
        return self.node.database or f"sqlite:///{self.node.data_dir / 'restage.sqlite'}"

    @property
    def site_rules(self) -> tuple[SiteRule, ...]:
        """The site's own rules for the roles of series, in their order."""
        return tuple(rule.rule() for rule in self.series_rules)

    @property
    def bundles_dir(self) -> Path:
        """The folder that holds one folder per scoring system."""
        return self.scoring.bundles or SHIPPED_BUNDLES

    @property
    def cache_dir(self) -> Path | None:
        """Where model inputs are kept from one scoring to the next; None where they are not."""
        return self.node.data_dir / "cache" if self.scoring.cache_gb > 0 else None

    @property
    def peers_receiving(self) -> tuple[Peer, ...]:
        """The peers that results are delivered to."""
        return tuple(peer for peer in self.peers if peer.receives)

    @property
    def peers_queried(self) -> tuple[Peer, ...]:
        """The peers that answer questions about what they keep."""
        return tuple(peer for peer in self.peers if peer.queries)

    def in_shadow(self, peer: Peer) -> bool:
        """Whether everything for this peer is computed and kept, and nothing is sent."""
        return self.results.shadow or peer.profile.shadow

    def peers_titled(self, ae_title: str) -> tuple[Peer, ...]:
        """Every peer with this AE title (several may share one); its padding does not count."""
        return titled(self.peers, ae_title)

    def peer_named(self, name: str) -> Peer | None:
        return next((peer for peer in self.peers if peer.name == name), None)


def load_config(path: Path) -> Config:
    """Read config.toml. Raises ConfigError: one line that names the file, the key, its value and what is allowed."""
    data = _read_toml(path)
    try:
        config = Config.model_validate(data, by_name=False)
    except ValidationError as error:
        raise config_error(path, data, Config, error.errors(include_url=False)) from error
    return _with_absolute_paths(config, path.resolve().parent)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError("", f"{path}: there is no such file; --config names the file to read") from error
    except OSError as error:
        raise ConfigError("", f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError("", f"{path}: is not UTF-8 text (byte {error.start})") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        last_line = len(text.splitlines())
        where = str(error).replace("at end of document", f"at line {last_line}, the end of the file")
        raise ConfigError("", f"{path}: is not valid TOML: {where}") from error


def _with_absolute_paths(config: Config, folder: Path) -> Config:
    database = config.node.database
    if database:
        database = f"sqlite:///{folder / database.removeprefix('sqlite:///')}"
    node = config.node.model_copy(update={"data_dir": folder / config.node.data_dir, "database": database})
    bundles = None if config.scoring.bundles is None else folder / config.scoring.bundles
    scoring = config.scoring.model_copy(update={"bundles": bundles})
    tls = config.tls.within(folder)
    for peer in config.peers:
        peer.call_with(tls)
    return config.model_copy(update={"node": node, "scoring": scoring, "tls": tls})
