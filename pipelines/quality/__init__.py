"""The quality gate: is an exam good enough to be scored, and are the two of a pair alike enough to be compared."""

from pipelines.quality.assess import admitted, assess_exam, assess_images, assess_target
from pipelines.quality.finding import QualityFinding, QualityReport, Severity
from pipelines.quality.protocol import assess_pair

__all__ = [
    "QualityFinding",
    "QualityReport",
    "Severity",
    "admitted",
    "assess_exam",
    "assess_images",
    "assess_pair",
    "assess_target",
]
