"""Two programs with one folder of models and one store of corrections: nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unet.images.atomic import move_to_new, overwriting
from napari_unet.learning.crops import Crop
from napari_unet.learning.store import Store
from napari_unet.network import keeping
from napari_unet.network.library import list_models, load_model, models_folder

LABELS = np.ones((8, 8), np.int32)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

# Each program tries to keep 20 models under 20 names, and says which ones it could.
KEEP = """
import sys
from pathlib import Path
from napari_unet.network import keeping
from napari_unet.network.library import load_model

model = load_model(sys.argv[1], "cpu")
Path(sys.argv[2]).touch()
while len(list(Path(sys.argv[2]).parent.glob("ready*"))) < 2:
    pass
for number in range(20):
    try:
        keeping.keep(model, f"plate {number}")
    except (ValueError, FileExistsError):
        continue
    print(number)
"""

# Each adds crops of its own, forgets its first ones, and reads all the time.
STORE = """
import sys
from pathlib import Path
import numpy as np
from napari_unet.learning.crops import Crop
from napari_unet.learning.store import Store

labels = np.ones((8, 8), np.int32)
store, source = Store(Path(sys.argv[1])), sys.argv[3]
Path(sys.argv[2]).touch()
while len(list(Path(sys.argv[2]).parent.glob("ready*"))) < 2:
    pass
for number in range(30):
    crop = Crop(labels.astype("u1"), labels, labels > 0, 9.0, (0.0, 9.0), source, str(number))
    kept = store.add([crop])
    if number == 9:
        store.forget(source, kept)
    crops, problems = store.read()
    assert not problems, problems
    store.size()
"""


def at_once(code: str, tmp_path: Path, *arguments: Any) -> list[str]:
    """Run two programs that begin at the same moment; return what each prints."""
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(arguments[0]), str(tmp_path / f"ready{name}"), name],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in "ab"
    ]  # fmt: skip
    results = [program.communicate(timeout=200) for program in programs]
    assert [program.returncode for program in programs] == [0, 0], results
    return [printed for printed, _ in results]


def test_a_name_goes_to_one_of_two_programs(tmp_path: Path, bright_model: Path) -> None:
    first, second = at_once(KEEP, tmp_path, bright_model)
    assert set(first.split()) & set(second.split()) == set()
    assert {*first.split(), *second.split()} == {str(number) for number in range(20)}
    assert sum(not file.built_in for file in list_models()) == 20
    for file in list_models()[1:]:
        load_model(file.path, "cpu")
    assert not [path for path in models_folder().iterdir() if path.name.startswith(".")]


def test_a_store_keeps_what_two_programs_add(tmp_path: Path) -> None:
    at_once(STORE, tmp_path, tmp_path / "store")
    crops, problems = Store(tmp_path / "store").read()
    assert problems == []
    for name in "ab":
        places = sorted(int(crop.place) for crop in crops if crop.source == name)
        assert places == list(range(9, 30))


def crop(hours: int) -> Crop:
    date = (NOON + timedelta(hours=hours)).isoformat()
    return Crop(LABELS.astype(np.uint8), LABELS, LABELS > 0, 9.0, (0.0, 9.0), "a", "b", date)


def test_an_import_never_replaces_what_is_added_while_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, own = Store(tmp_path / "other"), Store(tmp_path / "own")
    other.add([crop(1)])
    other.export(tmp_path / "a.zip")
    write_newer = Store._write_newer

    def late(self: Store, found: Crop) -> bool:
        own.add([crop(2)])
        return write_newer(self, found)

    monkeypatch.setattr(Store, "_write_newer", late)
    assert own.import_(tmp_path / "a.zip") == 0
    (kept,), _ = own.read()
    assert kept.date == crop(2).date


def fails(*_: Any) -> None:
    raise OSError(95, "Operation not supported")


def write_late(path: Path) -> None:
    with overwriting(path, is_new=True) as temporary:
        temporary.write_text("mine")
        path.write_text("theirs")


@pytest.mark.parametrize("link", [os.link, fails], ids=["names", "no second names"])
def test_a_file_that_another_program_made_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: Callable[..., None]
) -> None:
    monkeypatch.setattr(os, "link", link)
    path = tmp_path / "a.txt"
    with pytest.raises(FileExistsError, match=r"Expected a new file.*a\.txt"):
        write_late(path)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["theirs"]
    with overwriting(tmp_path / "b.txt", is_new=True) as temporary:
        temporary.write_text("mine")
    assert move_to_new(tmp_path / "b.txt", tmp_path / "c.txt").read_text() == "mine"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.txt", "c.txt"]


def test_a_model_is_never_renamed_over_one_that_came_meanwhile(
    bright_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keeping.keep(load_model(bright_model, "cpu"), "mine")
    taken = path.with_stem("theirs")
    link = os.link

    def late(source: Path, target: Path) -> None:
        taken.write_bytes(b"theirs")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(FileExistsError, match="theirs"):
        keeping.rename("mine", "theirs")
    assert taken.read_bytes() == b"theirs"
    assert path.exists()
