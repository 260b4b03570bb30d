from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)

from napari_unet.learning.autosave import Note
from napari_unet.learning.facts import image_name
from napari_unet.learning.finetune import FineTune, FineTuning
from napari_unet.learning.store import FOLDER
from napari_unet.network.library import list_models, load_model, models_folder
from napari_unet.widgets import counting, finetune_form, live
from napari_unet.widgets.corrections import PREDICTION, confirm_nucleus, facts_of
from napari_unet.widgets.finetune_choice import NO_RESULT, NOTHING_PAINTED
from napari_unet.widgets.finetune_dock import ADVICE, FinetuneDock
from napari_unet.widgets.finetune_form import LEARN, SEGMENT, SEGMENT_AGAIN
from napari_unet.widgets.messages import Glance, LearnRequest
from napari_unet.widgets.remembering import NOTHING
from napari_unet.widgets.results import bring_back

PLUGIN = "napari-unet-nuclei"
AddResult = Callable[..., Labels]
SECONDS = 0.5


@pytest.fixture
def viewer(make_napari_viewer_proxy: Callable[..., Any]) -> Any:
    return make_napari_viewer_proxy()


@pytest.fixture
def dock(viewer: Any, monkeypatch: pytest.MonkeyPatch) -> FinetuneDock:
    monkeypatch.setattr(finetune_form, "TIMES", [("short", SECONDS), ("long", 1e4)])
    monkeypatch.setattr(finetune_form, "USUAL_TIME", SECONDS)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Fine-tune on corrections")
    return dock


def paint(layer: Labels, label: int, place: tuple[Any, ...]) -> None:
    """Set pixels as napari's tools do: with an entry in the layer's history."""
    mask = np.zeros(layer.data.shape, bool)
    mask[place] = True
    layer.data_setitem(np.nonzero(mask), label)


@contextmanager
def mouse(layer: Labels, place: tuple[int, int]) -> Iterator[Callable[[tuple[int, int]], None]]:
    """Press the left button on a layer as napari's canvas does, and let it go at the end."""

    def event(kind: str, at: tuple[int, int]) -> Any:
        given = SimpleNamespace(
            type=kind, button=1, modifiers=(), position=at, view_direction=None,
            dims_displayed=[0, 1], is_dragging=kind == "mouse_move", handled=False, inverted=False,
        )  # fmt: skip
        return ReadOnlyWrapper(given)

    mouse_press_callbacks(layer, event("mouse_press", place))
    yield lambda at: mouse_move_callbacks(layer, event("mouse_move", at))
    mouse_release_callbacks(layer, event("mouse_release", place))


def paint_nucleus(layer: Labels) -> None:
    paint(layer, 7, np.s_[..., 48:60, 10:25])


def wait_for(qtbot: Any, condition: Callable[[], bool]) -> None:
    qtbot.waitUntil(condition, timeout=60_000)


def wait(qtbot: Any, dock: FinetuneDock) -> None:
    wait_for(qtbot, lambda: dock._worker is None)


def runs_in_memory() -> list[Any]:
    gc.collect()
    return [it for it in gc.get_objects() if type(it) in (FineTuning, FineTune)]


def model_names() -> list[str]:
    return [model.name for model in list_models()]


def test_without_a_result_the_dock_says_what_to_do(
    viewer: Any, dock: FinetuneDock, notes: list[str]
) -> None:
    viewer.add_labels(np.zeros((8, 8), int))
    assert dock.layer.value is None
    assert dock.status.value == NO_RESULT
    assert not dock.learn.enabled
    assert (dock.segment.text, dock.segment.native.isHidden()) == (SEGMENT, False)
    dock.start()
    assert notes == [NO_RESULT]


def test_from_an_empty_dock_the_user_comes_to_the_one_that_segments(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult
) -> None:
    dock.segment.native.click()
    assert "Segment nuclei (napari-unet-nuclei)" in viewer.window.dock_widgets
    add_squares(viewer)
    assert dock.segment.native.isHidden()


def test_when_scribbles_are_removed_a_result_is_chosen(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult
) -> None:
    result = add_squares(viewer)
    scribbles = viewer.add_labels(np.zeros((64, 80), np.int32))
    dock.layer.value = scribbles
    assert dock.live.native.isHidden()
    viewer.layers.remove(scribbles)
    assert dock.layer.value == dock._shown == result
    assert not dock.live.native.isHidden()
    assert dock.status.value == NOTHING


def test_counts_follow_painting_undo_and_other_planes(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer, "ZYX")
    assert dock.layer.value == layer
    assert dock.counts.value == "nothing corrected yet"
    viewer.dims.set_current_step(0, 1)
    paint(layer, 7, np.s_[1, 48:60, 10:25])
    wait_for(qtbot, lambda: dock.counts.value == "1 nucleus added on 1 plane")
    paint(layer, 0, np.s_[2, 5:20, 5:9])
    wait_for(qtbot, lambda: dock.counts.value == "1 nucleus added, 1 reshaped on 2 planes")
    layer.undo()
    wait_for(qtbot, lambda: dock.counts.value == "1 nucleus added on 1 plane")
    layer.fill((1, 50, 12), 0)
    wait_for(qtbot, lambda: dock.counts.value == "nothing corrected yet")


def test_nothing_can_be_learned_until_something_is_corrected(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    assert not dock.learn.enabled
    assert dock.learn.tooltip == dock.status.value == NOTHING
    assert dock.live.enabled
    paint_nucleus(layer)
    wait_for(qtbot, lambda: dock.learn.enabled)
    assert dock.learn.tooltip == LEARN
    assert dock.status.value == ""
    layer.undo()
    wait_for(qtbot, lambda: not dock.learn.enabled)
    assert dock.status.value == NOTHING
    dock.confirm.native.click()
    assert dock.learn.enabled


def test_corrections_are_stored_under_their_result_also_when_it_was_brought_back(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult
) -> None:
    layer = add_squares(viewer)
    source = dock._new_request(layer, live=False).source
    facts = {name: fact for name, fact in layer.metadata["napari_unet"].items() if name != "image"}
    prediction = facts.pop("prediction").copy()
    note = Note("a" * 32, "b" * 8, facts, 1, (), np.zeros(0), np.zeros(0), datetime.now(UTC))
    viewer.layers.remove(layer)
    again = bring_back(viewer, viewer.layers["cells"], note, prediction.copy(), prediction)
    assert again.unique_id != layer.unique_id
    assert dock._new_request(again, live=False).source == source
    assert source.startswith("cells ")
    assert image_name(source) == "cells"


def test_a_large_result_is_counted_in_a_thread(
    viewer: Any,
    dock: FinetuneDock,
    add_squares: AddResult,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "LARGEST_AT_ONCE", 0)
    layer = add_squares(viewer)
    wait_for(qtbot, lambda: dock.counts.value == "nothing corrected yet")
    paint_nucleus(layer)
    wait_for(qtbot, lambda: dock.counts.value == "1 nucleus added")


def test_a_view_that_is_right_is_counted_kept_with_the_layer_and_taken_back(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult
) -> None:
    layer = add_squares(viewer)
    assert dock.undo_confirm.native.isHidden()
    layer.corner_pixels = np.array([[0, 0], [24, 79]])
    dock.confirm.native.click()
    assert dock.counts.value == "1 nucleus confirmed"
    assert not dock.undo_confirm.native.isHidden()
    viewer.window.remove_dock_widget(dock.native)
    _, again = viewer.window.add_plugin_dock_widget(PLUGIN, "Fine-tune on corrections")
    assert again.counts.value == "1 nucleus confirmed"
    again.undo_confirm.native.click()
    assert again.counts.value == "nothing corrected yet"
    assert again.undo_confirm.native.isHidden()


def test_a_nucleus_that_is_called_right_elsewhere_is_counted(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    confirm_nucleus(layer, 2, is_right=True)
    wait_for(qtbot, lambda: dock.counts.value == "1 nucleus confirmed")
    dock.undo_confirm.native.click()
    assert dock.counts.value == "nothing corrected yet"


def test_a_view_in_3d_cannot_be_right(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, notes: list[str]
) -> None:
    add_squares(viewer, "ZYX")
    viewer.dims.ndisplay = 3
    dock.confirm.native.click()
    assert len(notes) == 1
    assert "flat and with y and x" in notes[0]
    assert dock.status.value == notes[0]


def test_the_dock_follows_the_active_layer_and_its_name(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult
) -> None:
    first, second = add_squares(viewer), add_squares(viewer, "ZYX")
    assert dock.layer.value == second
    viewer.layers.selection.active = first
    assert dock.layer.value == first
    first.name = "plate 7"
    viewer.add_points(np.zeros((1, 2)))
    assert dock.layer.value == first
    viewer.layers.remove(first)
    viewer.layers.remove(second)
    assert dock.status.value == NO_RESULT
    assert dock.counts.value == "–"


@pytest.mark.usefixtures("quick")
def test_what_is_learned_from_a_segmented_image_is_kept_and_chosen_for_the_next(
    viewer: Any,
    dock: FinetuneDock,
    bright_model: Path,
    verdict: Callable[[str], None],
    qtbot: Any,
) -> None:
    verdict("")
    _, segment = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    segment.models.files.append(str(bright_model))
    segment.model.reset_choices()
    segment.model.value = str(bright_model)
    image = np.zeros((64, 80), np.uint8)
    image[5:25, 5:25] = 200
    viewer.add_image(image, name="cells")
    segment.diameter.value = 20
    segment.start()
    wait_for(qtbot, lambda: segment.run.worker is None)
    assert dock.layer.value == viewer.layers["cells nuclei"]
    paint_nucleus(viewer.layers["cells nuclei"])
    wait_for(qtbot, lambda: dock.learn.enabled)
    dock.learn.native.click()
    assert dock.learn.native.isHidden()
    assert not dock.running.native.isHidden()
    wait(qtbot, dock)
    assert dock.running.native.isHidden()
    assert dock.status.value.startswith("Overlap with the corrected nuclei: ")
    assert len(dock._curve.marks) > 1
    assert dock.keep.text == "Keep"
    assert dock.model_name.value == "bright v1"
    dock.keep.native.click()
    assert model_names() == ["nuclei", "nuclei-fast", "bright v1"]
    kept, parent = load_model("bright v1", "cpu").card, load_model(bright_model, "cpu")
    assert (kept.parent, kept.line) == (parent.sha256, "bright")
    assert kept.training["image_names"] == ["cells"]
    assert segment.model.value == "bright v1"
    assert "'bright v1' is kept in " in dock.status.value
    assert dock._learned is dock._request is dock._curve is None
    assert runs_in_memory() == []
    assert not dock.learn.native.isHidden()
    assert not dock.redraw.native.isHidden()
    assert dock.stored.text.startswith("1 nucleus, ")
    assert dock.segment.text == SEGMENT_AGAIN
    segment.model.value = "nuclei"
    dock.segment.native.click()
    assert viewer.layers.selection.active == viewer.layers["cells"]
    assert segment.model.value == "bright v1"


@pytest.mark.usefixtures("quick")
def test_a_worse_model_is_kept_only_anyway_and_under_a_free_name(
    viewer: Any,
    dock: FinetuneDock,
    add_squares: AddResult,
    verdict: Callable[[str], None],
    notes: list[str],
    qtbot: Any,
) -> None:
    verdict("It got worse.")
    layer = add_squares(viewer)
    paint_nucleus(layer)
    dock.remember.value = False
    dock.start()
    wait(qtbot, dock)
    assert dock.status.value.endswith(f"It got worse. {ADVICE}")
    assert dock.keep.text == "Keep anyway"
    assert dock.redraw.native.isHidden()
    dock.start()
    dock.model_name.value = "nuclei"
    dock.keep.native.click()
    assert [note.partition(";")[0] for note in notes] == [
        "Something is learned in this dock already",
        "Expected a new name, got 'nuclei', which is taken",
    ]
    dock.model_name.value = "mine"
    dock.keep.native.click()
    assert model_names() == ["nuclei", "nuclei-fast", "mine"]
    assert not (models_folder().parent / FOLDER).exists()


@pytest.mark.usefixtures("quick")
def test_stop_and_keep_concludes_and_discard_leaves_nothing(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    paint_nucleus(layer)
    dock.time.value = 1e4
    dock.start()
    wait_for(qtbot, lambda: dock.status.value.startswith("Learning"))
    # What they say is for the next run.
    assert not any(it.enabled for it in (dock.time, dock.remember, dock.stored))
    assert dock.stored.native.isHidden()
    paint(layer, 0, np.s_[5:20, 5:20])
    wait_for(qtbot, lambda: dock.counts.value == "1 nucleus added, 1 removed")
    viewer.layers.remove(layer)
    dock.stop.native.click()
    wait(qtbot, dock)
    assert not dock.outcome.native.isHidden()
    dock.discard.native.click()
    assert dock.outcome.native.isHidden()
    assert dock._learned is None
    assert model_names() == ["nuclei", "nuclei-fast"]
    # Its layer is gone: there is nothing that the next run could begin with.
    assert dock.status.value == NO_RESULT
    assert not dock.segment.native.isHidden()
    add_squares(viewer)
    assert all(it.enabled for it in (dock.time, dock.remember, dock.stored))
    assert not dock.stored.native.isHidden()


@pytest.mark.usefixtures("quick")
def test_cancel_leaves_no_model_and_the_corrections(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, qtbot: Any
) -> None:
    paint_nucleus(add_squares(viewer))
    dock.time.value = 1e4
    dock.start()
    wait_for(qtbot, lambda: dock.status.value.startswith("Learning"))
    assert len(runs_in_memory()) == 1
    dock.cancel_button.native.click()
    assert dock.status.value == "Cancelling …"
    wait(qtbot, dock)
    assert dock.status.value.startswith("Cancelled: there is no new model")
    assert dock.outcome.native.isHidden()
    assert not dock.learn.native.isHidden()
    assert model_names() == ["nuclei", "nuclei-fast"]
    wait_for(qtbot, lambda: dock.counts.value == "1 nucleus added")
    assert runs_in_memory() == []


def test_cancel_after_the_last_report_frees_the_dock(
    viewer: Any,
    dock: FinetuneDock,
    add_squares: AddResult,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_end = threading.Event()

    def late(request: LearnRequest) -> Iterator[Glance]:
        yield Glance("compare")
        may_end.wait(60)

    monkeypatch.setattr("napari_unet.widgets.finetune_dock.learn", late)
    add_squares(viewer)
    dock.start()
    wait_for(qtbot, lambda: dock.status.value.startswith("Comparing"))
    dock.cancel()
    may_end.set()
    wait(qtbot, dock)
    assert not dock.learn.native.isHidden()


def test_nothing_corrected_and_a_removed_image_are_told(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, notes: list[str], qtbot: Any
) -> None:
    layer = add_squares(viewer)
    dock.start()
    wait(qtbot, dock)
    viewer.layers.remove("cells")
    paint_nucleus(layer)
    dock.start()
    assert [note.partition(";")[0] for note in notes] == [
        "Nothing is corrected yet",
        "Expected the image 'cells' beside its labels, got none",
    ]
    assert not dock.learn.native.isHidden()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_model_that_is_gone_is_told_and_none_of_its_name_learns_instead(
    viewer: Any,
    dock: FinetuneDock,
    add_squares: AddResult,
    bright_model: Path,
    notes: list[str],
    is_replaced: bool,
) -> None:
    paint_nucleus(add_squares(viewer))
    if is_replaced:
        model = load_model(bright_model, "cpu")
        other = replace(model, card=replace(model.card, diameter=21.0))
        other.save(bright_model, overwrite=True)
    else:
        bright_model.unlink()
    dock.start()
    sentence = (
        "Expected the model that made these labels, 'bright', got none; segment again with another "
        "one, what you corrected stays."
    )
    assert [dock.status.value, *notes] == [sentence, sentence]
    assert dock._request is None


def test_labels_that_were_replaced_by_others_are_told(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    layer.data = np.zeros((32, 80), np.int32)
    sentence = (
        "Expected the labels that the run made, of the shape (64, 80), got others of (32, 80); put "
        "those back, or segment again."
    )
    wait_for(qtbot, lambda: dock.counts.value == sentence)
    layer.data = facts_of(layer)[PREDICTION].copy()
    wait_for(qtbot, lambda: dock.counts.value == "nothing corrected yet")


def test_nuclei_painted_with_one_label_are_told_while_they_are_painted(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    number = layer.selected_label
    paint(layer, number, np.s_[48:60, 10:25])
    wait_for(qtbot, lambda: dock.counts.value == "1 nucleus added")
    paint(layer, number, np.s_[48:60, 40:55])
    wait_for(qtbot, lambda: f"label {number} is in several pieces" in dock.counts.value)
    layer.undo()
    wait_for(qtbot, lambda: dock.counts.value == "1 nucleus added")


@pytest.mark.usefixtures("quick")
def test_closing_the_dock_stops_learning_and_lets_go_of_the_viewer(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    paint_nucleus(layer)
    dock.time.value = 1e4
    dock.start()
    wait_for(qtbot, lambda: dock.status.value.startswith("Learning"))
    worker = dock._worker
    viewer.window.remove_dock_widget(dock.native)
    wait_for(qtbot, lambda: not worker.is_running)
    paint(layer, 0, np.s_[5:20, 5:20])
    viewer.layers.remove(layer)
    assert dock._request is None
    assert model_names() == ["nuclei", "nuclei-fast"]


def names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


@pytest.mark.usefixtures("quick")
def test_the_view_is_redrawn_while_learning_compared_and_left_as_it_was(
    viewer: Any,
    dock: FinetuneDock,
    add_squares: AddResult,
    verdict: Callable[[str], None],
    qtbot: Any,
) -> None:
    verdict("")
    layer = add_squares(viewer)
    paint_nucleus(layer)
    dock.time.value = 1e4
    dock.start()
    wait_for(qtbot, lambda: "cells nuclei, learning" in names(viewer))
    assert viewer.layers.selection.active == layer
    assert dock.layer.value == layer
    assert viewer.layers["cells nuclei, learning"].data.max() == 2
    dock.stop.native.click()
    wait(qtbot, dock)
    assert names(viewer) == ["cells", "cells nuclei", "cells nuclei, learning"]
    dock.side.value = "before"
    before = np.array(viewer.layers["cells nuclei, learning"].data)
    dock.side.value = "after"
    np.testing.assert_array_equal(before, dock._learned.view.before.labels)
    dock.keep.native.click()
    assert names(viewer) == ["cells", "cells nuclei"]
    assert dock._preview is dock._compared is None
    assert runs_in_memory() == []


@pytest.mark.usefixtures("quick")
def test_a_view_that_was_moved_is_compared_anew(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    paint_nucleus(layer)
    dock.start()
    wait(qtbot, dock)
    shown = viewer.layers["cells nuclei, learning"]
    layer.corner_pixels = np.array([[0, 0], [24, 79]])
    wait_for(qtbot, lambda: shown.data.shape == (25, 80))
    assert shown.data.max() == 1
    layer.corner_pixels = np.array([[25, 30], [63, 79]])
    wait_for(qtbot, lambda: shown.data.shape == (39, 50))
    assert shown.data_to_world((0, 0)) == (25, 30)
    dock.discard.native.click()
    assert names(viewer) == ["cells", "cells nuclei"]


@pytest.mark.usefixtures("quick")
def test_outlines_that_are_taken_away_or_not_wanted_stay_away(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, qtbot: Any
) -> None:
    paint_nucleus(add_squares(viewer))
    dock.time.value = 1e4
    dock.start()
    wait_for(qtbot, lambda: "cells nuclei, learning" in names(viewer))
    dock.redraw.value = False
    assert names(viewer) == ["cells", "cells nuclei"]
    dock.redraw.value = True
    wait_for(qtbot, lambda: "cells nuclei, learning" in names(viewer))
    viewer.layers.remove("cells nuclei, learning")
    dock.stop.native.click()
    wait(qtbot, dock)
    assert names(viewer) == ["cells", "cells nuclei"]
    dock.side.value = "before"
    wait_for(qtbot, lambda: "cells nuclei, learning" in names(viewer))
    viewer.window.remove_dock_widget(dock.native)
    assert names(viewer) == ["cells", "cells nuclei"]


@pytest.mark.usefixtures("quick")
def test_live_waits_for_a_nucleus_learns_new_ones_and_is_judged_when_switched_off(
    viewer: Any,
    dock: FinetuneDock,
    add_squares: AddResult,
    verdict: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    verdict("It got worse.")
    monkeypatch.setattr(live, "SECONDS_BETWEEN_LOOKS", 0.2)
    monkeypatch.setattr(live, "SECONDS_BETWEEN_MARKS", 0.2)
    layer = add_squares(viewer)
    dock.live.native.click()
    wait_for(qtbot, lambda: dock.status.value == "Paint a nucleus to begin …")
    assert not dock.layer.enabled
    assert dock.learn.native.isHidden()
    assert not dock.live.native.isHidden()
    paint_nucleus(layer)
    wait_for(qtbot, lambda: dock.status.value.startswith("Learning while you paint, "))
    assert dock.bar.native.isHidden()
    for label, place in enumerate([np.s_[0:4, 0:9], np.s_[0:4, 70:79], np.s_[50:60, 60:70]], 10):
        paint(layer, label, place)
    wait_for(qtbot, lambda: dock.stored.text == "no nuclei yet")
    wait_for(qtbot, lambda: len(dock._curve.marks) > 2)
    dock.live.native.click()
    wait(qtbot, dock)
    assert dock.status.value.startswith("Overlap with the corrected nuclei: ")
    assert dock.status.value.endswith(f"It got worse. {ADVICE}")
    assert dock.begin.native.isHidden()
    dock.discard.native.click()
    assert not dock.live.value
    assert dock.layer.enabled
    assert dock.stored.text.startswith("4 nuclei, ")


@pytest.mark.usefixtures("quick")
def test_a_stroke_joins_live_learning_when_it_has_ended(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, qtbot: Any
) -> None:
    layer = add_squares(viewer)
    layer.mode, layer.brush_size, layer.selected_label = "paint", 6, 7
    dock.live.native.click()
    wait_for(qtbot, lambda: dock.status.value == "Paint a nucleus to begin …")
    strokes = deque[Any](maxlen=1)
    object.__setattr__(dock._request, "strokes", strokes)  # of nobody who would take them
    before = dock.counts.value
    with mouse(layer, (50, 12)) as move:
        move((55, 14))
        # It is counted meanwhile, and told to nobody.
        wait_for(qtbot, lambda: dock.counts.value != before)
        assert not strokes
        move((55, 20))
    assert strokes.pop().labels[55, 20] == 7
    strokes.append(dock._read(layer))
    with mouse(layer, (57, 12)):
        assert not strokes  # what was not read yet shows the new stroke too
    assert len(strokes) == 1
    dock.cancel()
    wait(qtbot, dock)
    assert dock._strokes._follow not in layer.mouse_drag_callbacks


@pytest.mark.usefixtures("quick")
def test_live_without_a_nucleus_ends_without_a_model(
    viewer: Any, dock: FinetuneDock, add_squares: AddResult, notes: list[str], qtbot: Any
) -> None:
    add_squares(viewer)
    dock.live.native.click()
    wait_for(qtbot, lambda: dock.status.value == "Paint a nucleus to begin …")
    dock.live.native.click()
    wait(qtbot, dock)
    assert dock.status.value == "Nothing was corrected, so nothing was learned."
    assert not dock.learn.native.isHidden()
    assert notes == []


@pytest.mark.usefixtures("quick")
def test_scribbles_teach_the_chosen_model(
    viewer: Any, dock: FinetuneDock, bright_model: Path, qtbot: Any
) -> None:
    models_folder().mkdir(parents=True)
    load_model(bright_model, "cpu").save(models_folder() / "mine.safetensors")
    viewer.add_image(np.zeros((32, 32), np.uint8), name="other")
    pixels = np.zeros((64, 80), np.uint8)
    pixels[5:20, 5:20] = 200
    viewer.add_image(pixels, name="cells")
    layer = viewer.add_labels(np.zeros((64, 80), np.int32), name="mine")
    assert dock.layer.value is None
    assert dock.background.native.isHidden()
    dock.layer.value = layer
    assert dock.layer.current_choice == "scribbles: mine"
    assert dock.image.value.name == "cells"
    assert dock.views.native.isHidden()
    assert dock.live.native.isHidden()
    assert not dock.hint.native.isHidden()
    assert dock.status.value == NOTHING_PAINTED
    paint(layer, 2, np.s_[5:20, 5:20])
    paint(layer, 2, np.s_[40:50, 40:50])
    paint(layer, 1, np.s_[25:35, 5:70])
    wait_for(qtbot, lambda: dock.counts.value == "2 nuclei added")
    assert dock.status.value == ""
    dock.background.value = 2
    assert dock.counts.value == "1 nucleus added"
    dock.background.value = 1
    dock.model.value = "mine"
    dock.learn.native.click()
    wait(qtbot, dock)
    assert dock.model_name.value == "mine v1"
    assert names(viewer)[-1] == "mine, learning"
    dock.keep.native.click()
    kept, parent = load_model("mine v1", "cpu").card, load_model("mine", "cpu")
    assert (kept.parent, kept.line) == (parent.sha256, "bright")
    assert dock.model.value == "mine v1"
    dock.image.value = viewer.layers["other"]
    assert dock.counts.value.startswith("Expected scribbles of the shape (32, 32)")
