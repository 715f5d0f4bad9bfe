"""``model_card.md``: what a bundle is, for whom, what it reached here, and what nobody knows yet.

Sections as M. Mitchell et al., Model Cards for Model Reporting, FAT* 2019.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.evaluation.metrics import coverage, left_out
from pipelines.evaluation.references import Published, published
from pipelines.evaluation.report.learnt import learnt_from, never_seen
from pipelines.evaluation.report.level import OVER, means, misjudged
from pipelines.evaluation.report.opening import MET, SYSTEMS, events_words, figure_name, given_words, origin
from pipelines.evaluation.report.wording import NONE, OUTCOMES, begun, information, interval, number, percent, told
from pipelines.evaluation.results import Results


def model_card(results: Results) -> str:
    """The whole card as Markdown."""
    judged = results.judged
    bundle, default = judged.bundle, judged.default
    m = bundle.manifest
    parts = [
        f"# {SYSTEMS.get(m.system, m.system)}: {m.name} {m.version}",
        f"**{origin(m.phantom_trained, judged.cohort.simulated)}**",
        "## Model",
        set_list(
            ("System", m.system),
            (
                "Predicts",
                OUTCOMES[default.outcome]
                if OUTCOMES[default.outcome] == m.outcome
                else f"{OUTCOMES[default.outcome]} ({m.outcome})",
            ),
            ("Default model", f"{default.model}, from {information(default)}. {judged.predicted.why_default}".strip()),
            ("Weights", f"SHA-256 {bundle.weights_digest}"),
            ("Inputs", "; ".join(m.inputs)),
        ),
        "## Intended use",
        m.intended_use,
        f"Limits: {m.limits}",
        "## Trained on",
        set_list(
            ("Cohort", m.cohort),
            ("Cohort digest", m.cohort_digest),
            *((name.capitalize(), str(m.training[name])) for name in ("seed", "threads") if name in m.training),
            *learnt_from(m),
            *((("Here, but not in training", strange),) if (strange := never_seen(judged)) else ()),
        ),
        f"## {begun(given_words(results))}",
        *_reached(results),
        "## Who was left out",
        set_list(*((reason, str(count)) for reason, count in left_out(judged).items())) or "Nobody.",
        "## Groups",
        _groups(results),
        "## Not known",
        "Whether it helps patients; how it does after other therapies, scanners and readers than those above; and, "
        + (
            "as every patient here is simulated, how it does on anybody who exists."
            if judged.cohort.simulated
            else "how it does at any hospital that is not named above."
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _reached(results: Results) -> list[str]:
    judged, name = results.judged, figure_name(results)
    warned = ["**These are the patients it learnt from: the figures flatter it.**"] if judged.trained_on_it else []
    warned += [f"**{words}**"] if (words := misjudged(judged, results.default)) else []
    best_known = ("oracle", "share") if judged.truth_known else ()
    columns = ("model", "n", f"{name} (95 % CI)", *best_known, "the authors' own patients")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for found in results.headline:
        oracle, reference = found.oracle, published(judged.predicted.system, found.prediction.model)
        theirs = NONE if reference is None else _theirs(reference)
        best, share = (oracle.oracle_expected, oracle.ratio) if oracle else (None, None)
        cells = (
            found.prediction.model,
            str(found.patients),
            interval(found.primary),
            *((number(best), number(share)) if judged.truth_known else ()),
            theirs,
        )
        lines.append(f"| {' | '.join(cells)} |")
    demands = [
        f"- {demand.name}: {demand.said} ({MET[demand.met]}){f'; {demand.why}' if demand.why else ''}"
        for demand in results.demands
    ]
    calibrated = results.default.calibration
    level = f"Predicted / observed of the default model {interval(calibrated.expected_observed)}: {OVER}."
    true = f" {begun(words)}." if (words := means(results.default)) else ""
    slope = f"Calibration slope {interval(calibrated.slope)} (1 is right)."
    covered = f"It covers {percent(coverage(judged, judged.default))} of the patients."
    closing = f"{level}{true} {slope} {covered} {begun(events_words(results.default))}."
    about = [f"{told(p)}." for p in judged.predicted.models if p.about]
    return [*warned, "\n".join(lines), *about, closing, "\n".join(demands)]


def _theirs(reference: Published) -> str:
    limits = reference.limits
    return f"{reference.value}" if limits is None else f"{reference.value} ({limits[0]}–{limits[1]})"


def _groups(results: Results) -> str:
    events = "events in all of the follow-up" if results.judged.survival else "events"
    lines = [f"| group | n | {events} | {figure_name(results)} (95 % CI) |", "|---|---|---|---|"]
    for kind, groups in (("hospital ", results.sites), ("", results.strata)):
        for name, group in groups.items():
            found = group.figures
            lines.append(f"| {kind}{name} | {found.patients} | {found.events} | {interval(found.primary)} |")
    return "\n".join(lines)


def set_list(*entries: Sequence[str]) -> str:
    """Named values as a list in Markdown."""
    return "\n".join(f"- {name}: {value}" for name, value in entries)
