"""A fine-tune that napari's end cuts off is offered again with its result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from inspect import getsource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels

from napari_unet.learning.autosave import Note
from napari_unet.learning.cut_off import FOLDER, Hold, is_under_way
from napari_unet.network.library import list_models, models_folder
from napari_unet.segmentation import finish
from napari_unet.widgets import cut_off as cut_off_line
from napari_unet.widgets import finetune_form, saving
from napari_unet.widgets.corrections import Edited, facts_of
from napari_unet.widgets.cut_off import UNDER_WAY
from napari_unet.widgets.finetune_dock import CANCELLED, NOT_SAVED, FinetuneDock
from napari_unet.widgets.messages import Glance, Learned, LearnRequest
from napari_unet.widgets.results import bring_back
from napari_unet.widgets.running import Failed
from napari_unet.widgets.saving import OTHER_RUN
from napari_unet.widgets.tuning import learn

PLUGIN = "napari-unet-nuclei"
AddResult = Callable[..., Labels]
SECONDS = 1e4
KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from napari_unet.learning import finetune, lessons
from napari_unet.learning.runs import Scene
from napari_unet.widgets import saving, tuning
from napari_unet.widgets.corrections import Edited
from napari_unet.widgets.messages import LearnRequest

field = Scene(np.zeros((3, 64, 64), np.float32), np.zeros((64, 64), np.int32))
finetune.rehearsal = lessons.rehearsal = lambda card: [field, field]

class Killed(saving.Saver):
    def save_at_times(self):
        if self._run.trainer.number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        self.save()
"""
KILL = """
tuning.Saver = Killed
for _ in tuning.learn(request_for(Path(sys.argv[1]), Path(sys.argv[2]))):
    pass
"""


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[..., Any]) -> Any:
    return make_napari_viewer_proxy()


@pytest.fixture(autouse=True)
def _quick(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(finetune_form, "TIMES", [("long", SECONDS)])
    monkeypatch.setattr(finetune_form, "USUAL_TIME", SECONDS)


@pytest.fixture
def painted(viewer: Any, add_squares: AddResult) -> Labels:
    """A result on which one nucleus was painted."""
    layer = add_squares(viewer)
    layer.data_setitem(np.nonzero(nucleus(layer)), 7)
    return layer


def nucleus(layer: Labels) -> Any:
    mask = np.zeros(layer.data.shape, bool)
    mask[48:60, 10:25] = True
    return mask


def opened(viewer: Any) -> FinetuneDock:
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Fine-tune on corrections")
    return dock


def wait_for(qtbot: Any, condition: Callable[[], bool]) -> None:
    qtbot.waitUntil(condition, timeout=60_000)


def files() -> list[Path]:
    return list((models_folder().parent / FOLDER).glob("[!.]*.safetensors"))


def is_offered(dock: FinetuneDock) -> bool:
    return not dock.cut_off.native.isHidden()


def start(qtbot: Any, dock: FinetuneDock) -> None:
    """Learn until something is saved."""
    dock.start()
    wait_for(qtbot, lambda: len(files()) == 1)
    assert not is_offered(dock)


def cut_off(qtbot: Any, viewer: Any) -> FinetuneDock:
    """Close the dock while it learns, and open it again."""
    dock = opened(viewer)
    start(qtbot, dock)
    return opened_again(qtbot, viewer, dock)


def opened_again(qtbot: Any, viewer: Any, dock: FinetuneDock) -> FinetuneDock:
    """Close a dock while it learns, and open another one."""
    worker = dock._worker
    viewer.window.remove_dock_widget(dock.native)
    wait_for(qtbot, lambda: not worker.is_running)
    return opened(viewer)


def test_a_run_goes_on_when_its_result_was_brought_back(
    viewer: Any, painted: Labels, verdict: Callable[[str], None], qtbot: Any
) -> None:
    verdict("")
    dock = cut_off(qtbot, viewer)
    assert is_offered(dock)
    assert dock.cut_off.text.value == "A run of 10000 s on 'bright' was cut off at 0%."
    facts = {name: fact for name, fact in facts_of(painted).items() if name != "image"}
    labels, prediction = painted.data.copy(), facts.pop("prediction").copy()
    note = Note("a" * 32, "b" * 8, facts, 1, (), np.zeros(0), np.zeros(0), datetime.now(UTC))
    viewer.layers.remove(painted)
    assert not is_offered(dock)
    bring_back(viewer, viewer.layers["cells"], note, labels, prediction)
    assert is_offered(dock)
    saved = files()[0].read_bytes()
    dock.cut_off.go_on.native.click()
    assert not is_offered(dock)
    assert dock._request.seconds == SECONDS
    wait_for(qtbot, lambda: files()[0].read_bytes() != saved)
    dock.stop.native.click()
    wait_for(qtbot, lambda: dock._worker is None)
    assert dock.status.value.startswith("Overlap with the corrected nuclei: ")
    assert len(files()) == 1
    dock.keep.native.click()
    assert [model.name for model in list_models()] == ["nuclei", "nuclei-fast", "bright v1"]
    assert files() == []
    assert not is_offered(dock)


def test_a_run_is_offered_for_its_model_alone_until_it_is_forgotten(
    viewer: Any, painted: Labels, qtbot: Any
) -> None:
    first = opened(viewer)
    assert not is_offered(first)
    viewer.window.remove_dock_widget(first.native)
    dock = cut_off(qtbot, viewer)
    assert is_offered(dock)
    facts, sha256 = facts_of(painted), facts_of(painted)["model_sha256"]
    facts["model_sha256"] = "cd" * 32
    dock._show_cut_off()
    assert not is_offered(dock)
    facts["model_sha256"] = sha256
    dock._show_cut_off()
    dock.cut_off.forget.native.click()
    assert not is_offered(dock)
    assert files() == []


def test_a_run_that_the_user_cancels_or_discards_is_not_offered(
    viewer: Any, painted: Labels, qtbot: Any
) -> None:
    dock = opened(viewer)
    start(qtbot, dock)
    dock.cancel_button.native.click()
    wait_for(qtbot, lambda: dock._worker is None)
    assert files() == []
    start(qtbot, dock)
    dock.stop.native.click()
    wait_for(qtbot, lambda: dock._learned is not None)
    dock.discard.native.click()
    assert files() == []
    assert not is_offered(dock)


def test_a_run_that_is_cancelled_before_it_is_saved_leaves_an_older_one(
    viewer: Any, painted: Labels, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    dock = cut_off(qtbot, viewer)
    saved = files()[0].read_bytes()
    monkeypatch.setattr(saving, "SECONDS_BETWEEN_SAVES", 1e9)
    dock.start()
    assert not is_offered(dock)
    wait_for(qtbot, lambda: dock._curve is not None)
    dock.cancel_button.native.click()
    wait_for(qtbot, lambda: dock._worker is None)
    assert dock.status.value == CANCELLED
    assert is_offered(dock)
    assert files()[0].read_bytes() == saved
    dock.cut_off.go_on.native.click()
    wait_for(qtbot, lambda: dock._curve is not None)
    dock.cancel_button.native.click()
    wait_for(qtbot, lambda: dock._worker is None)
    assert not is_offered(dock)
    assert files() == []


def test_live_learning_goes_on_with_what_is_corrected_by_now(
    viewer: Any, painted: Labels, verdict: Callable[[str], None], qtbot: Any
) -> None:
    verdict("")
    dock = opened(viewer)
    dock.live.native.click()
    wait_for(qtbot, lambda: files() != [])
    dock = opened_again(qtbot, viewer, dock)
    assert dock.cut_off.text.value.startswith("Live learning on 'bright' was cut off after ")
    painted.data_setitem(np.nonzero(painted.data == 1), 0)
    saved = files()[0].read_bytes()
    dock.cut_off.go_on.native.click()
    assert dock.live.value
    assert dock._request.live
    wait_for(qtbot, lambda: files()[0].read_bytes() != saved)
    dock.live.native.click()
    wait_for(qtbot, lambda: dock._learned is not None)
    steps = dock._learned.tuned.history
    assert steps[0].number > 1
    dock.discard.native.click()
    assert files() == []


def test_a_run_that_another_window_is_at_is_not_offered_until_that_has_ended(
    viewer: Any, painted: Labels, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    monkeypatch.setattr(cut_off_line, "MILLISECONDS_BETWEEN_LOOKS", 1)
    viewer.window.remove_dock_widget(cut_off(qtbot, viewer).native)
    other = Hold(files()[0])
    assert other.take()
    dock = opened(viewer)
    assert dock.cut_off.text.value == UNDER_WAY
    assert dock.cut_off.go_on.native.isHidden()
    assert dock.cut_off.forget.native.isHidden()
    other.let_go()
    wait_for(qtbot, lambda: not dock.cut_off.go_on.native.isHidden())
    assert dock.cut_off.text.value == "A run of 10000 s on 'bright' was cut off at 0%."


def test_a_run_that_another_window_has_taken_by_now_is_left_alone(
    viewer: Any, painted: Labels, notes: list[str], qtbot: Any
) -> None:
    dock = cut_off(qtbot, viewer)
    other = Hold(files()[0])
    assert other.take()
    saved = files()[0].read_bytes()
    dock.cut_off.go_on.native.click()
    assert notes == [UNDER_WAY]
    assert dock.cut_off.text.value == UNDER_WAY
    assert dock._request is None
    dock.cut_off.forget.native.click()
    dock.start()
    assert notes == [UNDER_WAY, NOT_SAVED]
    wait_for(qtbot, lambda: dock._curve is not None)
    dock.cancel_button.native.click()
    wait_for(qtbot, lambda: dock._worker is None)
    assert files()[0].read_bytes() == saved
    other.let_go()


def test_a_run_is_under_way_until_the_user_has_decided(
    viewer: Any, painted: Labels, qtbot: Any
) -> None:
    dock = opened(viewer)
    start(qtbot, dock)
    path = files()[0]
    assert is_under_way(path)
    dock.stop.native.click()
    wait_for(qtbot, lambda: dock._learned is not None)
    assert is_under_way(path)
    dock.discard.native.click()
    assert not is_under_way(path)


def test_a_run_of_other_corrections_is_kept_until_these_are_back(
    viewer: Any, painted: Labels, notes: list[str], qtbot: Any
) -> None:
    dock = cut_off(qtbot, viewer)
    painted.data_setitem(np.nonzero(painted.data == 1), 0)
    dock.cut_off.go_on.native.click()
    wait_for(qtbot, lambda: dock._worker is None)
    assert notes == [OTHER_RUN]
    assert dock.status.value == OTHER_RUN
    assert len(files()) == 1
    assert is_offered(dock)
    painted.undo()
    dock.cut_off.go_on.native.click()
    wait_for(qtbot, lambda: dock._preview is not None and bool(dock._worker))
    dock.stop.native.click()
    wait_for(qtbot, lambda: dock._worker is None)
    assert notes == [OTHER_RUN]


def test_a_run_that_fails_is_offered_again(
    viewer: Any, painted: Labels, notes: list[str], monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("napari_unet.widgets.tuning.compare", fail)
    dock = opened(viewer)
    start(qtbot, dock)
    dock.stop.native.click()
    wait_for(qtbot, lambda: dock._worker is None)
    assert notes == ["There is not enough memory to learn; close other programs and try again."]
    assert is_offered(dock)


def request_for(model: Path, folder: Path, **changes: Any) -> LearnRequest:
    """What a user taught who painted one square where the model had seen nothing."""
    prediction, labels = np.zeros((64, 80), np.int32), np.zeros((64, 80), np.int32)
    labels[48:60, 10:25] = 7
    pixels = (labels > 0).astype(np.uint8) * 200
    painted = Edited(prediction, labels, (), 20.0)
    return LearnRequest(
        pixels, "YX", None, painted, "cells", str(model), "cpu", "bright", 1e4,
        saved=folder / "runs" / "a.safetensors", **changes,
    )  # fmt: skip


def run(request: LearnRequest, n_steps: int) -> Learned | Failed | None:
    """Learn until that many steps are taken, those of an earlier run among them."""

    def stop(glance: Glance) -> None:
        steps.append(glance)
        if sum(it.loss is not None for it in steps) >= n_steps:
            request.stop.set()

    steps: list[Glance] = []
    return finish(learn(request), stop)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_run_goes_on_where_it_was_saved(bright_model: Path, tmp_path: Path) -> None:
    program = f"from typing import Any{KILLED}{getsource(request_for)}{KILL}"
    command = [sys.executable, "-c", program, str(bright_model), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    outcome = run(request_for(bright_model, tmp_path, resumes=True), 1)
    assert isinstance(outcome, Learned)
    # Two were saved before the third was cut off.
    assert [step.number for step in outcome.tuned.history] == [3]
    assert outcome.note == ""


def test_a_run_that_cannot_be_saved_goes_on_and_says_so(bright_model: Path, tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no folder")
    outcome = run(request_for(bright_model, tmp_path), 2)
    assert isinstance(outcome, Learned)
    assert len(outcome.tuned.history) == 2
    assert outcome.note.startswith("The run could not be saved on its way (")
    assert outcome.note.endswith("; make room on the disk, or allow writing there.")
