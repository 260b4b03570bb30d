"""The report of a training run: a page with its curves, its scores and validation images."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from napari_unet.images.atomic import overwriting
from napari_unet.learning.history import Row, read_history
from napari_unet.learning.pictures import Example, draw_curves, draw_examples, save_picture
from napari_unet.learning.runs import TrainingRun
from napari_unet.network.config import UNetConfig
from napari_unet.network.model import Model, load_model_file
from napari_unet.nuclei.instances import instances
from napari_unet.nuclei.metrics import Scores, evaluate

PAGE, CURVES, EXAMPLES, SCORES = "index.html", "curves.png", "validation.png", "scores.csv"
MOST_EXAMPLES = 6
COLUMNS = ("n_predicted", "n_truth", "ap50", "ap75", "mean_ap", "f1", "pq")
HEADINGS = ("image", "predicted", "true", "AP50", "AP75", "AP50:90", "F1", "PQ")
POOLED = "all images"


@dataclass(frozen=True)
class Findings:
    """What a model makes of the validation images: ``scores`` by name, and some ``examples``."""

    scores: list[tuple[str, Scores]]
    examples: list[Example]

    @property
    def pooled(self) -> Scores:
        """The scores over the nuclei of all images."""
        return sum((scores for _, scores in self.scores), start=Scores())


def write_report(run: TrainingRun) -> Path:
    """Score the best model of a run and write all about it into the run's report folder.

    Parameters
    ----------
    run : TrainingRun
        One that has left a model.

    Returns
    -------
    Path
        The page to open in a browser.

    Raises
    ------
    FileNotFoundError, ValueError
        If the model is not there, or it or the history is damaged.
    """
    model = load_model_file(run.output, run.device)
    rows = read_history(run.history)
    findings = examine(model, run)
    run.report.mkdir(exist_ok=True)
    curves = draw_curves(rows, f"Training of {run.output.stem}", run.score_meaning)
    save_picture(curves, run.report / CURVES)
    save_picture(draw_examples(findings.examples, run.recipe.seed), run.report / EXAMPLES)
    write_scores(run.report / SCORES, findings)
    with overwriting(run.report / PAGE) as temporary:
        temporary.write_text(_page(run, model.config, rows, findings), encoding="utf-8")
    return run.report / PAGE


def examine(model: Model, run: TrainingRun) -> Findings:
    """Return a model's scores on all validation images, and examples of them at random."""
    order = np.random.default_rng(run.recipe.seed).permutation(len(run.scenes))
    chosen = set(order[:MOST_EXAMPLES].tolist())
    scores, examples = [], []
    for number, scene in enumerate(run.scenes):
        predicted = instances(model.predict(scene.pixels), run.instances)
        scores.append((scene.name, evaluate(predicted, scene.labels)))
        if number in chosen:
            examples.append(Example(scene.name, scene.pixels, scene.labels, predicted))
    return Findings(scores, examples)


def write_scores(path: Path, findings: Findings) -> None:
    """Write a CSV table: the pooled scores in its first row, then those of each image."""
    rows = [(POOLED, findings.pooled), *findings.scores]
    with (
        overwriting(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["image", *COLUMNS])
        for name, scores in rows:
            writer.writerow([name, *(round(getattr(scores, column), 4) for column in COLUMNS)])


def facts(run: TrainingRun, config: UNetConfig, rows: Sequence[Row]) -> dict[str, str]:
    """Return what is to be known of a run, as text by name."""
    found = {
        "model": run.output.name,
        "data": str(run.origin.get("data", "-")),
        "images trained with": str(run.origin.get("images", "-")),
        "validation images": str(len(run.scenes)),
        "network": _network(config),
        "seed": str(run.recipe.seed),
    }
    if rows:
        last = rows[-1]
        found["crops seen"] = f"{last.crops} in {last.step} steps"
        found["time"] = f"{last.seconds / 60:.1f} minutes"
        found["spent waiting for crops"] = f"{last.waiting:.0%} of the time"
    scored = [(row.score, row.step) for row in rows if row.score is not None]
    if scored:
        score, step = max(scored, key=lambda each: each[0])
        found["best score"] = f"{score:.3f} after {step} steps ({run.score_meaning})"
    return found


def _network(config: UNetConfig) -> str:
    filters = "-".join(str(n) for n in config.filters)
    return f"{config.variant}, {filters} filters"


STYLE = """
body { font-family: sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; }
td, th { border-bottom: 1px solid #ccc; padding: 0.2rem 0.8rem; text-align: right; }
td:first-child, th:first-child { text-align: left; }
img { max-width: 100%; }
"""


def _page(run: TrainingRun, config: UNetConfig, rows: Sequence[Row], findings: Findings) -> str:
    """Return the page, as HTML that needs no other file than the pictures."""
    title = escape(f"Training of {run.output.stem}")
    pooled = [_cells(POOLED, findings.pooled)]
    each = [_cells(name, scores) for name, scores in findings.scores]
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head>
<body>
<h1>{title}</h1>
{_table([], facts(run, config, rows).items())}
<h2>Scores on the validation images</h2>
{_table(HEADINGS, pooled)}
<p>A predicted nucleus is right if it shares enough area with a true one: area of both over area
of either (IoU). AP is the number of right nuclei over that of all that are right, missed or too
many, at an IoU of 0.5 (AP50), of 0.75 (AP75), and on average from 0.5 to 0.9 (AP50:90). F1 weighs
missed ones and those too many at 0.5; PQ is F1 times the mean IoU of the right ones. 1 is perfect.
</p>
<details><summary>Each image</summary>{_table(HEADINGS, each)}</details>
<p>As a table: <a href="{SCORES}">{SCORES}</a></p>
<h2>Curves</h2>
<img src="{CURVES}" alt="Training loss and validation score over the steps">
<p>The loss is that of the images trained with, the score that of the validation images. If the
score still rises at the end, train longer. If both fall, the network learns its images by heart:
more images help. As a table:
<a href="{run.history.name}">{run.history.name}</a></p>
<h2>Validation images</h2>
<p>Chosen at random among those that the network was not trained with.</p>
<img src="{EXAMPLES}" alt="Validation images with their true and their predicted nuclei outlined">
</body>
</html>
"""


def _cells(name: str, scores: Scores) -> list[str]:
    values = (getattr(scores, column) for column in COLUMNS)
    return [name, *(f"{value:.3f}" if isinstance(value, float) else str(value) for value in values)]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table."""
    lines = [_line("th", headings)] if headings else []
    lines += [_line("td", row) for row in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _line(kind: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in cells) + "</tr>"
