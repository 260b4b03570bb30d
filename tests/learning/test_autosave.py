from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unet.learning import autosave
from napari_unet.learning.autosave import Autosaves, Note

IMAGE, OTHER, TOKEN = "a" * 32, "b" * 32, "0123abcd"
SETTINGS = {"diameter": 20.0, "channel": None, "link": "auto", "instances": {"threshold": 0.4}}
FACTS = {
    "axes": "YX",
    "model": "nuclei",
    "model_file": "nuclei",
    "model_sha256": "c" * 64,
    "line": "nuclei",
    "device_choice": "auto",
    "result": "123e4567-e89b-12d3-a456-426614174000",
    "settings": SETTINGS,
}
NOW = datetime(2026, 11, 24, 14, 2, tzinfo=UTC)
PREDICTION = np.arange(12, dtype=np.int32).reshape(3, 4)


def note(**changes: Any) -> Note:
    places, values = np.array([0, 5]), np.array([7, 0], np.int32)
    first = Note(IMAGE, TOKEN, FACTS, 2, (((0, 2), (1, 4)),), places, values, NOW)
    return replace(first, **changes)


@pytest.fixture
def saves(tmp_path: Path) -> Autosaves:
    return Autosaves.of_user(tmp_path)


def files(saves: Autosaves) -> list[str]:
    return sorted(path.name for path in saves.folder.iterdir())


def test_what_is_saved_is_read_again(saves: Autosaves) -> None:
    assert saves.is_empty()
    saves.save(note(), PREDICTION)
    assert not saves.is_empty()
    (read,), problems = saves.of_image(IMAGE)
    assert problems == []
    assert (read.facts, read.n_nuclei, read.confirmed) == (FACTS, 2, (((0, 2), (1, 4)),))
    assert read.date == NOW
    prediction = saves.prediction(read)
    np.testing.assert_array_equal(prediction, PREDICTION)
    assert read.labels(prediction).tolist() == [[7, 1, 2, 3], [4, 0, 6, 7], [8, 9, 10, 11]]


def test_nuclei_and_parts_that_are_right_are_read_again_in_their_order(saves: Autosaves) -> None:
    right = (7, ((0, 2), (1, 4)), 12)
    saves.save(note(confirmed=right), PREDICTION)
    ((read,), _) = saves.of_image(IMAGE)
    assert read.confirmed == right
    np.testing.assert_array_equal(saves.prediction(read), PREDICTION)


def test_another_image_has_nothing_saved(saves: Autosaves) -> None:
    saves.save(note(), PREDICTION)
    assert saves.of_image(OTHER) == ([], [])


def test_a_new_state_replaces_the_old_one_and_the_newest_result_comes_first(
    saves: Autosaves,
) -> None:
    saves.save(note(), PREDICTION)
    saves.save(note(n_nuclei=3), PREDICTION + 1)
    saves.save(note(token="f" * 8, date=NOW + timedelta(hours=1)), PREDICTION)
    assert [(it.token, it.n_nuclei) for it in saves.of_image(IMAGE)[0]] == [
        ("f" * 8, 2),
        (TOKEN, 3),
    ]
    assert len(files(saves)) == 4


def test_the_labels_of_the_run_are_written_once(saves: Autosaves) -> None:
    beside = saves.save(note(), PREDICTION)
    os.utime(saves.folder / beside, ns=(0, 0))
    assert saves.save(note(n_nuclei=3, beside=beside), PREDICTION) == beside
    assert (saves.folder / beside).stat().st_mtime_ns == 0
    assert [it.n_nuclei for it in saves.of_image(IMAGE)[0]] == [3]


def test_scribbles_are_saved_as_those_of_a_run_that_found_nothing(saves: Autosaves) -> None:
    facts = {"scribbles": "mine", "background": 2, "result": "of mine"}
    saves.save(note(facts=facts, confirmed=()), np.zeros_like(PREDICTION))
    ((read,), problems) = saves.of_image(IMAGE)
    assert (read.facts, read.is_scribbles, problems) == (facts, True, [])
    labels = read.labels(saves.prediction(read))
    assert labels.tolist() == [[7, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    "changes",
    [{"background": 0}, {"background": "1"}, {"scribbles": 1}, {"result": None}, {"more": 1}],
)
def test_scribbles_that_do_not_say_what_they_are_are_damaged(
    saves: Autosaves, changes: dict[str, Any]
) -> None:
    facts = {"scribbles": "mine", "background": 2, "result": "of mine"} | changes
    saves.save(note(facts=facts, confirmed=()), np.zeros_like(PREDICTION))
    notes, problems = saves.of_image(IMAGE)
    assert (notes, len(problems)) == ([], 1)


def test_what_is_deleted_is_gone_and_deleting_nothing_is_fine(saves: Autosaves) -> None:
    saves.delete(IMAGE, TOKEN)
    saves.save(note(), PREDICTION)
    saves.save(note(image=OTHER), PREDICTION)
    saves.delete(IMAGE, TOKEN)
    assert saves.of_image(IMAGE) == ([], [])
    assert len(files(saves)) == 2


@pytest.mark.parametrize("which", [0, 1], ids=["corrections", "labels of the run"])
@pytest.mark.parametrize("damage", ["cut", "text", "flipped", "gone"])
def test_a_damaged_file_is_told_and_set_aside(saves: Autosaves, which: int, damage: str) -> None:
    saves.save(note(), PREDICTION)
    path = sorted(saves.folder.iterdir(), key=lambda path: len(path.name))[which]
    content = path.read_bytes()
    flipped = content[:90] + bytes(255 - byte for byte in content[90:110]) + content[110:]
    damaged = {"cut": content[:-40], "text": b"no archive", "flipped": flipped, "gone": b""}
    path.write_bytes(damaged[damage])
    if damage == "gone":
        path.unlink()
    notes, problems = saves.of_image(IMAGE)
    if which == 0 and damage == "gone":
        assert (notes, problems) == ([], [])
        return
    if which == 1:
        with pytest.raises(ValueError, match="damaged file") as error:
            saves.prediction(notes[0])
        problems = [str(error.value)]
    assert len(problems) == 1
    assert problems[0].startswith(f"Expected saved corrections in '{IMAGE}-{TOKEN}.npz', got a")
    assert f"{IMAGE}-{TOKEN}.npz.damaged" in files(saves)
    assert saves.of_image(IMAGE) == ([], [])


WRONG = [
    ({"diameter": float("nan")}, "how the result was made"),
    ({"channel": "DAPI"}, "how the result was made"),
    ({"link": ["auto"]}, "how the result was made"),
    ({"instances": {"threshold": 2}}, "threshold"),
    ({"instances": {"of_another_version": 1}}, "of_another_version"),
]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"facts": {**FACTS, "axes": 3}}, "what made the result"),
        ({"facts": {**FACTS, "settings": {}}}, "diameter"),
        *(({"facts": {**FACTS, "settings": SETTINGS | other}}, reason) for other, reason in WRONG),
        ({"n_nuclei": -1}, "number of nuclei"),
        ({"values": np.array([7], np.int32)}, "fit each other"),
        ({"places": np.array([-1, 2])}, "out of range"),
        ({"values": np.array([7, 2])}, "fit each other"),
        ({"confirmed": ((1, 2),)}, "iterable"),
    ],
)
def test_a_file_that_holds_something_else_is_set_aside(
    saves: Autosaves, changes: dict[str, Any], reason: str
) -> None:
    saves.save(note(**changes), PREDICTION)
    notes, (problem,) = saves.of_image(IMAGE)
    assert notes == []
    assert reason in problem


@pytest.mark.parametrize(
    ("changes", "prediction"),
    [
        ({"places": np.array([0, 12])}, PREDICTION),
        ({"confirmed": (((0, 2),),)}, PREDICTION),
        ({}, PREDICTION.astype(np.int64)),
        ({}, PREDICTION - 5),
    ],
)
def test_labels_of_the_run_that_do_not_fit_are_set_aside(
    saves: Autosaves, changes: dict[str, Any], prediction: np.ndarray
) -> None:
    saves.save(note(**changes), prediction)
    (read,), _ = saves.of_image(IMAGE)
    with pytest.raises(ValueError, match="damaged file"):
        saves.prediction(read)


def test_no_pickle_is_loaded(saves: Autosaves) -> None:
    saves.save(note(), PREDICTION)
    with (saves.folder / f"{IMAGE}-{TOKEN}.npz").open("wb") as file:
        np.savez_compressed(file, header=np.array([{"format": 1}], object))
    assert "allow_pickle=False" in saves.of_image(IMAGE)[1][0]


def test_the_oldest_results_and_unfinished_files_go(
    saves: Autosaves, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autosave, "MOST_RESULTS", 2)
    for number in range(3):
        saves.save(note(token=f"{number:08x}"), PREDICTION)
        for path in saves.folder.glob(f"*-{number:08x}*"):
            os.utime(path, (1e9 + number, 1e9 + number))
    unfinished = [saves.folder / ".old.npz", saves.folder / ".new.npz"]
    for path in unfinished:
        path.touch()
    os.utime(unfinished[0], (1e9, 1e9))
    saves.save(note(token="f" * 8), PREDICTION)
    assert {it.token for it in saves.of_image(IMAGE)[0]} == {"00000002", "f" * 8}
    assert len(files(saves)) == 5
    assert unfinished[1].exists()


def test_the_oldest_damaged_files_go_too_and_foreign_ones_stay(
    saves: Autosaves, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autosave, "MOST_RESULTS", 2)
    for number in range(2):
        saves.save(note(token=f"{number:08x}"), PREDICTION)
        (saves.folder / f"{IMAGE}-{number:08x}.npz").write_bytes(b"no archive")
    assert len(saves.of_image(IMAGE)[1]) == 2
    foreign = [saves.folder / name for name in ("x.npz", "a-b-c.npz", f"{IMAGE}.npz", "notes.txt")]
    for path in foreign:
        path.touch()
    for path in saves.folder.iterdir():
        age = 1e9 + ("00000001" in path.name)
        os.utime(path, (age, age))
    saves.save(note(token="f" * 8), PREDICTION)
    tokens = {name.split("-")[1][:8] for name in files(saves) if name.startswith(f"{IMAGE}-")}
    assert tokens == {"00000001", "f" * 8}
    assert all(path.exists() for path in foreign)


def test_what_is_saved_by_now_is_read_again(saves: Autosaves) -> None:
    saves.save(note(), PREDICTION)
    (offered,), _ = saves.of_image(IMAGE)
    saves.save(note(n_nuclei=3), PREDICTION)
    assert saves.again(offered).n_nuclei == 3
    saves.delete(IMAGE, TOKEN)
    with pytest.raises(ValueError, match="Expected the corrections that were offered, got none"):
        saves.again(offered)


WRITER = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[2])
from test_autosave import IMAGE, TOKEN, note
from napari_unet.learning.autosave import Autosaves
saves = Autosaves(Path(sys.argv[1]))
for number in range(1, 10**9):
    prediction = np.full((200, 200), number % 3, np.int32)
    where = np.arange(number % 1000 + 1)
    saves.save(note(places=where, values=np.full(len(where), number, np.int32)), prediction)
    print(number, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_program_killed_while_it_writes_leaves_a_whole_state(tmp_path: Path) -> None:
    saves, rng = Autosaves(tmp_path / "autosave"), np.random.default_rng(0)
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(saves.folder), str(Path(__file__).parent)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            first = program.stdout.readline()
            time.sleep(rng.uniform(0, 0.1))
            program.send_signal(signal.SIGKILL)
            last = ([first, *program.stdout.read().splitlines()])[-1]
        (read,), problems = saves.of_image(IMAGE)
        number = int(read.values[0])
        assert problems == []
        assert number in (int(last), int(last) + 1)
        assert (read.values == number).all()
        assert len(read.values) == number % 1000 + 1
        assert (saves.prediction(read) == number % 3).all()
