"""The report's charts: overlap of what was planted, ceilings, and the course after surgery."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import gaussian_kde

from pipelines.phantom.oracle import CohortTruth, Numbers, expected_auc
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.phantom.report.style import GOOD, INK, NEUTRAL, PALE, POOR, RISKS, figure, quiet, save

# Column or derived quantity, title, axis, whether more of it means a better response, and published (mean, SD) of
# patients with and without a complete response.
Published = tuple[tuple[float, float], tuple[float, float]]
SHOWN: tuple[tuple[str, str, str, bool, Published | None], ...] = (
    ("d_restaging", "D after therapy", "10⁻³ mm²/s", True, ((2.45, 0.33), (1.95, 0.30))),
    ("k_restaging", "K after therapy", "", False, ((0.56, 0.06), (0.68, 0.08))),
    ("adc_restaging", "ADC after therapy, b {}", "10⁻³ mm²/s", True, None),
    ("volume_lost", "Volume lost", "%", True, None),
    ("mwt_restaging_mm", "Wall thickness after therapy", "mm", False, None),
    ("heterogeneity", "T2 heterogeneity before therapy", "SD of log signal", False, None),
)


def quantity(truth: CohortTruth, name: str) -> Numbers:
    if name == "volume_lost":
        return np.asarray(100 * (1 - truth.numbers["volume_restaging_cm3"] / truth.numbers["volume_baseline_cm3"]))
    if name == "adc_restaging":  # ADCs of different b-sets are not compared
        same = np.array(truth.words["b_values"]) == commonest_b_set(truth)
        return np.where(same, truth.numbers[name], np.nan)
    return truth.numbers[name]


def commonest_b_set(truth: CohortTruth) -> str:
    return Counter(truth.words["b_values"]).most_common(1)[0][0]


def overlap(first: Numbers, second: Numbers) -> float:
    """Shared area of two densities (Weitzman 1970), 0 to 1, from Gaussian kernels."""
    line = np.linspace(min(first.min(), second.min()), max(first.max(), second.max()), 400)
    shared = np.minimum(gaussian_kde(first)(line), gaussian_kde(second)(line))
    return float(shared.sum() * (line[1] - line[0]))


def overlaps(truth: CohortTruth) -> dict[str, dict[str, float]]:
    """Per quantity: shared area of good and poor responders, and the expected AUC of the quantity alone."""
    p, good = truth.probability(Outcome.GOOD_RESPONSE, InformationSet.PAIR), truth.numbers["good_response"] == 1
    found = {}
    for name, _, _, more_is_better, _ in SHOWN:
        values = quantity(truth, name)
        known = np.isfinite(values)
        auc = expected_auc(p[known], (values if more_is_better else -values)[known])
        found[name] = {"overlap": overlap(values[known & good], values[known & ~good]), "auc": auc}
    return found


def _density(axes: Axes, values: Numbers, line: Numbers, colour: str, name: str) -> None:
    density = gaussian_kde(values)(line)
    axes.fill_between(line, density, color=colour, alpha=0.28, linewidth=0)
    axes.plot(line, density, color=colour, linewidth=1.8, label=f"{name} (n = {values.size})")
    axes.plot([np.median(values)] * 2, [0, float(np.interp(np.median(values), line, density))], color=colour, lw=1)


def draw_overlap(truth: CohortTruth, path: Path) -> None:
    """Densities of good and poor responders for six planted quantities."""
    made = figure(11, 6.2)
    good, found = truth.numbers["good_response"] == 1, overlaps(truth)
    for axes, (name, title, unit, _, published) in zip(made.subplots(2, 3).ravel(), SHOWN, strict=True):
        values = quantity(truth, name)
        known = np.isfinite(values)
        low, high = np.quantile(values[known], [0.002, 0.998])
        line = np.linspace(low - 0.12 * (high - low), high + 0.12 * (high - low), 300)
        _density(axes, values[known & good], line, GOOD, "good response")
        _density(axes, values[known & ~good], line, POOR, "poor response")
        top = axes.get_ylim()[1]
        for (mean, spread), colour, height in zip(published or (), (GOOD, POOR), (1.13, 1.06), strict=False):
            axes.errorbar(mean, top * height, xerr=spread, color=colour, fmt="D", ms=4, capsize=3, lw=1.2)
        axes.set(ylim=(0, top * 1.22), yticks=[], xlim=(line[0], line[-1]))
        quiet(axes, title.format(commonest_b_set(truth).replace(" ", "/")), unit)
        note = f"AUC alone {found[name]['auc']:.2f}\noverlap {100 * found[name]['overlap']:.0f} %"
        axes.text(0.99, 0.97, note, transform=axes.transAxes, ha="right", va="top", fontsize=8, color=INK)
    handles, names = made.axes[0].get_legend_handles_labels()
    made.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    save(made, path)


SETS = {
    InformationSet.BASELINE: ("baseline exam", "o"),
    InformationSet.BASELINE_CLINICAL: ("baseline exam and clinical", "s"),
    InformationSet.PAIR: ("both exams", "D"),
    InformationSet.PAIR_CLINICAL: ("both exams and clinical", "^"),
    InformationSet.BASELINE_PATHOLOGY: ("baseline exam, clinical and ypN", "P"),
    InformationSet.PATHOLOGY: ("and pathology", "*"),
}
OUTCOMES = {
    Outcome.GOOD_RESPONSE: "good response",
    Outcome.COMPLETE_RESPONSE: "complete response",
    Outcome.METASTASIS: "metastasis, 36 months",
    Outcome.RECURRENCE: "recurrence or death, 36 months",
}


def draw_oracle(table: dict[str, dict[str, dict[str, float]]], path: Path) -> None:
    """The best reachable AUC by outcome and information set, over the band that a phantom should lie in."""
    made = figure(9, 3.6)
    axes = made.subplots()
    axes.axvspan(0.75, 0.90, color=PALE, zorder=0)
    axes.text(0.751, -0.62, "wanted of both exams: 0.75–0.90", fontsize=8, color=NEUTRAL, va="center")
    colours = ("#9AA5B1", "#616E7C", GOOD, "#004B75", "#8D5A97", POOR)
    for row, (outcome, _) in enumerate(OUTCOMES.items()):
        values = [cell["auc"] for cell in table[outcome].values()]
        axes.plot([min(values), max(values)], [row, row], color="#CBD2D9", linewidth=2, zorder=1)
        for (shown, (name, marker)), colour in zip(SETS.items(), colours, strict=True):
            if shown in table[outcome]:
                size = 130 if marker == "*" else 62
                x = table[outcome][shown]["auc"]
                axes.scatter(x, row, s=size, marker=marker, color=colour, zorder=2, label=name, edgecolor="white")
    axes.set(yticks=range(len(OUTCOMES)), ylim=(len(OUTCOMES) - 0.5, -0.9), xlim=(0.65, 0.92))
    axes.set_yticklabels(OUTCOMES.values())
    quiet(axes, "", "expected AUC")
    axes.tick_params(axis="y", length=0, labelsize=9, labelcolor=INK)
    unique = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    made.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    save(made, path)


def kaplan_meier(months: Numbers, event: np.ndarray) -> tuple[Numbers, Numbers]:
    """Times and share still free of the event (Kaplan and Meier 1958)."""
    times = np.unique(months[event])
    steps = [1 - float((event & (months == t)).sum()) / float((months >= t).sum()) for t in times]
    return np.concatenate([[0.0], times]), np.concatenate([[1.0], np.cumprod(steps)])


def draw_survival(truth: CohortTruth, path: Path) -> None:
    """Kaplan–Meier curves per third of the true risk given both exams, with the numbers at risk."""
    made = figure(11, 5.0)
    made.set_layout_engine("none")  # it does not count the lines under the axes
    room = {"left": 0.085, "right": 0.975, "bottom": 0.30, "top": 0.86, "wspace": 0.22}
    made.suptitle("By third of the true risk given both exams", fontsize=9, color=NEUTRAL)
    panels = (
        (Outcome.METASTASIS, "metastasis", "Free of metastasis (deaths censored)"),
        (Outcome.RECURRENCE, "dfs", "Alive without recurrence"),
    )
    for axes, (outcome, column, title) in zip(made.subplots(1, 2, gridspec_kw=room), panels, strict=True):
        months, event = truth.numbers[f"{column}_months"], truth.numbers[f"{column}_event"] == 1
        risk = truth.probability(outcome, InformationSet.PAIR)
        third = np.searchsorted(np.quantile(risk, [1 / 3, 2 / 3]), risk)
        for group, (name, colour) in enumerate(zip(("low", "middle", "high"), RISKS, strict=True)):
            rows = third == group
            times, free = kaplan_meier(months[rows], event[rows])
            shown = times <= 60
            times, free = np.append(times[shown], 60), np.append(free[shown], free[shown][-1])
            axes.step(times, free, where="post", color=colour, lw=2, label=name)
            for at in range(0, 61, 12):
                at_risk = int((months[rows] >= at).sum())
                axes.text(at, -0.28 - 0.065 * group, at_risk, color=colour, fontsize=8, ha="center", clip_on=False)
            axes.text(-3.5, -0.28 - 0.065 * group, name, color=colour, fontsize=8, ha="right", clip_on=False)
        axes.axvline(36, color=NEUTRAL, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.set(xlim=(0, 60), ylim=(0, 1.02), xticks=range(0, 61, 12), yticks=[0, 0.25, 0.5, 0.75, 1])
        quiet(axes, title, "months after surgery")
        axes.spines["left"].set_visible(True)
        axes.spines["left"].set_color(NEUTRAL)
        axes.text(-3.5, -0.215, "at risk", fontsize=8, color=NEUTRAL, ha="right")
    save(made, path)
