"""What the quality gate says of one exam: findings with code and severity, and the values that were measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from pipelines.contract import Code, InputUnfit, Role, Statement, TimePoint
from pipelines.quality.limits import Limits

NAMES = {Role.T2_AXIAL: "T2", Role.DWI: "DWI", Role.CE_T1: "CE-T1"}


class Severity(StrEnum):
    WARNING = "warning"
    REFUSAL = "refusal"


@dataclass(frozen=True)
class QualityFinding:
    """``value`` lies beyond ``limit`` (both in the unit that ``reason`` names). ``role``: which input it is about."""

    code: Code
    role: Role
    subject: str
    value: float
    limit: float
    severity: Severity
    reason: str

    def statement(self) -> Statement:
        return Statement(self.code, self.subject, self.reason, warning=self.severity is Severity.WARNING)


@dataclass(frozen=True)
class QualityReport:
    """All findings of one exam, and (name, value) of what was measured, with or without a finding."""

    findings: tuple[QualityFinding, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()

    def statements(self) -> tuple[Statement, ...]:
        return tuple(finding.statement() for finding in self.findings)

    @property
    def refused_roles(self) -> frozenset[Role]:
        """The inputs that must not be scored; with the axial T2 the exam itself."""
        return frozenset(finding.role for finding in self.findings if finding.severity is Severity.REFUSAL)

    def refusal(self, role: Role) -> Statement | None:
        """The first refusal of an input, with the reasons of all; None where it may be scored."""
        refusals = [one for one in self.findings if one.role is role and one.severity is Severity.REFUSAL]
        if not refusals:
            return None
        first = refusals[0].statement()
        return replace(first, reason=f"{first.subject} refused: {'; '.join(one.reason for one in refusals)}")

    def demand(self, role: Role) -> None:
        """Raises InputUnfit, with the first refusal's code, where ``role`` is refused."""
        refusal = self.refusal(role)
        if refusal is not None:
            raise InputUnfit(refusal.code, refusal.reason)

    def __add__(self, other: QualityReport) -> QualityReport:
        return QualityReport(self.findings + other.findings, self.parameters + other.parameters)


@dataclass
class Assessment:
    """What is gathered while one exam is assessed."""

    time_point: TimePoint
    findings: list[QualityFinding] = field(default_factory=list)
    parameters: list[tuple[str, str]] = field(default_factory=list)

    def measured(self, name: str, value: str) -> None:
        self.parameters.append((name, value))

    def judge(self, code: Code, role: Role, value: float, limits: Limits, reason: str) -> None:
        """Adds a finding where ``value`` is above a limit."""
        if value > limits.refusal:
            self.state(code, role, (value, limits.refusal), Severity.REFUSAL, reason)
        elif value > limits.warning:
            self.state(code, role, (value, limits.warning), Severity.WARNING, reason)

    def state(self, code: Code, role: Role, beyond: tuple[float, float], severity: Severity, reason: str) -> None:
        """Adds a finding; ``beyond``: the value, and the limit that it is beyond."""
        subject = f"{self.time_point} {NAMES.get(role, str(role))}"
        self.findings.append(QualityFinding(code, role, subject, *beyond, severity, reason))

    def report(self) -> QualityReport:
        return QualityReport(tuple(self.findings), tuple(self.parameters))
