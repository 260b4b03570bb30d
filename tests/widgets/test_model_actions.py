from __future__ import annotations

from pathlib import Path

import pytest

from napari_unet.network.keeping import keep, list_deleted
from napari_unet.network.library import load_model, models_folder
from napari_unet.widgets import model_actions
from napari_unet.widgets.model_actions import Done, Outcome, carry_out


def names(outcome: Outcome) -> list[str]:
    return [version.name for version in outcome.versions or []]


def test_an_action_is_followed_by_the_models_as_they_are_then(bright_model: Path) -> None:
    keep(load_model(bright_model, "cpu"), "mine")
    outcome = carry_out(lambda: model_actions.rename("mine", " plate 7"))
    assert names(outcome) == ["nuclei", "nuclei-fast", "plate 7"]
    assert outcome.failed == ""
    assert outcome.done == Done("'mine' is now 'plate 7'.", "plate 7", {"mine": "plate 7"})
    assert not carry_out(lambda: model_actions.rename("plate 7", "plate 7")).done.has_changed


def test_a_deleted_model_can_be_restored_by_its_file(bright_model: Path) -> None:
    keep(load_model(bright_model, "cpu"), "mine")
    outcome = carry_out(lambda: model_actions.delete("mine"))
    trashed = list_deleted()[0].path
    assert outcome.done == Done("'mine' is in the trash.", deleted=trashed)
    assert names(outcome) == ["nuclei", "nuclei-fast"]
    outcome = carry_out(lambda: model_actions.restore(trashed))
    assert outcome.done == Done("'mine' is back.", "mine")
    assert names(outcome) == ["nuclei", "nuclei-fast", "mine"]


def test_a_model_is_exported_and_imported(bright_model: Path, tmp_path: Path) -> None:
    outcome = carry_out(lambda: model_actions.import_model(bright_model))
    assert outcome.done == Done("bright.safetensors is in the list as 'bright'.", "bright")
    copy = tmp_path / "copy.safetensors"
    outcome = carry_out(lambda: model_actions.export("bright", copy, overwrite=False))
    assert outcome.done == Done("'bright' is copied to copy.safetensors.", has_changed=False)
    assert copy.read_bytes() == bright_model.read_bytes()


def test_models_that_cannot_be_listed_are_told_after_what_was_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def damaged() -> None:
        raise OSError("Input/output error")

    monkeypatch.setattr(model_actions, "list_versions", damaged)
    outcome = carry_out(model_actions.look)
    assert outcome == Outcome(
        None,
        Done(has_changed=False),
        "The models could not be listed (OSError: Input/output error); check the folder "
        f"{str(models_folder())!r}.",
    )


def test_what_goes_wrong_is_one_sentence_beside_the_models() -> None:
    outcome = carry_out(lambda: model_actions.delete("nuclei"))
    assert outcome.failed.startswith("Expected one of your own models, got the built-in 'nuclei'")
    assert names(outcome) == ["nuclei", "nuclei-fast"]
    assert outcome.done == Done(has_changed=False)

    def full() -> Done:
        raise OSError(28, "No space left\non device")

    assert carry_out(full).failed == (
        "That could not be done (OSError: [Errno 28] No space left on device); check that its "
        "folder can be written and the disk has room."
    )
