"""The report as one page of HTML."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape
from string import Template

from pipelines.phantom.oracle import CohortTruth
from pipelines.phantom.report.expected import Check
from pipelines.phantom.report.pictures import OUTCOMES, SETS


@dataclass(frozen=True)
class Page:
    """What the page shows. ``patients``: (picture, caption)."""

    truth: CohortTruth
    checks: list[Check]
    oracle: dict[str, dict[str, dict[str, float]]]
    patients: list[tuple[str, str]]


_PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Synthetic cohort</title>
<style>
 body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 1060px; margin: 2.5em auto; padding: 0 1em; }
 h1 { font-size: 1.7em; margin-bottom: 0; } h2 { font-size: 1.15em; margin-top: 2.2em; }
 p, figcaption { color: #52606d; } figure { margin: 1.2em 0; } img { max-width: 100%; }
 table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
 th { text-align: left; font-weight: 600; color: #52606d; } td, th { padding: .25em 1.4em .25em 0; }
 tr { border-bottom: 1px solid #e4e7eb; } .out { color: #d55e00; font-weight: 600; }
</style>
<h1>Synthetic cohort</h1>
<p>$summary</p>
<h2>Measured beside expected</h2>
<p>Ranges are published ones. ± is one standard error; out of range: more than two of them away.</p>
<table><tr><th>figure<th>expected<th>measured<th></tr>$checks</table>
<h2>Overlap of what was planted</h2>
<figure><img src="overlap.png" alt="Densities of six quantities in good and poor responders">
<figcaption>Diamonds: published mean and SD, complete response (blue) and not (orange); the curves split good from poor
response. AUC: expected, given the true probabilities.</figcaption></figure>
<h2>What a perfect model would reach</h2>
<figure><img src="oracle.png" alt="Best reachable AUC by outcome and information set"></figure>
<table><tr><th>AUC (C-index)$sets</tr>$oracle</table>
<h2>Course after surgery</h2>
<figure><img src="survival.png" alt="Kaplan–Meier curves per third of true risk"></figure>
<h2>Patients</h2>
<p>The slice with the most tumour; the outline is the planted tumour on T2.
EPI displaces the diffusion images by 1–4 mm.</p>
$patients
</html>
""")


def render(page: Page) -> str:
    """The whole page; pictures are named relative to it."""
    columns = "".join(f"<th>{escape(name)}" for name, _ in SETS.values())
    return _PAGE.substitute(
        summary=escape(_summary(page.truth)),
        checks="".join(_check(check) for check in page.checks),
        sets=columns,
        oracle="".join(_oracle_row(name, page.oracle[outcome]) for outcome, name in OUTCOMES.items()),
        patients="".join(
            f'<figure><img src="{escape(name)}" alt="Key slices"><figcaption>{escape(text)}</figcaption></figure>'
            for name, text in page.patients
        ),
    )


def _summary(truth: CohortTruth) -> str:
    words = truth.words
    sites = ", ".join(f"{count} of site {site}" for site, count in sorted(Counter(words["site"]).items()))
    presets = " and ".join(sorted(set(words["preset"])))
    lacking = sum(bool(name) for name in words["missing_baseline"])
    return (
        f"{len(words['site'])} patients ({sites}), preset {presets}, seed {words['seed'][0]}; "
        f"{lacking} baseline exams lack a series. Nobody in it exists."
    )


def _check(check: Check) -> str:
    digits = check.digits
    expected = f"{check.low:.{digits}f}" + (f"–{check.high:.{digits}f}" if check.high > check.low else "")
    measured = f"{check.measured:.{digits}f} ± {check.error:.{digits}f} {escape(check.unit)}"
    verdict = "" if check.within else '<span class="out">out of range</span>'
    return f"<tr><td>{escape(check.name)}<td>{expected}<td>{measured}<td>{verdict}</tr>"


def _oracle_row(name: str, sets: dict[str, dict[str, float]]) -> str:
    cells = []
    for shown in SETS:
        cell = sets.get(shown)
        index = f" ({cell['c_index']:.2f})" if cell and "c_index" in cell else ""
        cells.append(f"<td>{cell['auc']:.2f}{index}" if cell else "<td>–")
    return f"<tr><td>{escape(name)}{''.join(cells)}</tr>"
