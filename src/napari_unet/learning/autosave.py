"""Corrections that are not learned yet, on disk: what brings a corrected result back."""

from __future__ import annotations

import json
import re
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.atomic import overwriting
from napari_unet.nuclei.instances import InstanceSettings

FOLDER = "autosave"
SUFFIX = ".npz"
SET_ASIDE = ".damaged"
FORMAT = 1
MOST_RESULTS = 50
LEFTOVER_SECONDS = 3600  # after which a file that was never finished belongs to no running program
HEADER, PLACES, VALUES, PREDICTION = "header", "places", "values", "prediction"
TEXTS = ("axes", "model", "model_file", "model_sha256", "line", "device_choice", "result")
SCRIBBLES, BACKGROUND = "scribbles", "background"  # facts of scribbles: their name, the value
FILE = re.compile(r"([0-9a-f]{32}-[0-9a-f]{8})(-[0-9a-f]{16})?\.npz(\.damaged)?")
# What a file that is damaged, or that is none of ours, raises in NumPy, zipfile and json.
DAMAGED = (
    ValueError, KeyError, TypeError, IndexError, EOFError, RuntimeError, SyntaxError,
    NotImplementedError, FileNotFoundError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip

Confirmed = tuple[int | tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True, eq=False)
class Note:
    """What was saved, without the labels of the run.

    Parameters
    ----------
    image : str
        Which image, see `images.identity`.
    token : str
        Which result of it.
    facts : dict
        What made the result, as JSON can hold it; of scribbles, whose run is an empty one, their
        name and the value of background.
    n_nuclei : int
        How many nuclei were added, removed, reshaped or confirmed.
    confirmed : tuple
        What was called right: parts of the labels, first and last + 1 along each axis, and
        nuclei, each by its label.
    places, values : (n,) int64 and int32
        Where the labels differ from those of the run, counted along all axes, and what they are.
    date : datetime
        With its time zone.
    beside : str
        Name of the file with the labels of the run; empty as long as these are not written.
    """

    image: str
    token: str
    facts: dict[str, Any]
    n_nuclei: int
    confirmed: Confirmed
    places: NDArray[np.int64]
    values: NDArray[np.int32]
    date: datetime
    beside: str = ""

    @property
    def is_scribbles(self) -> bool:
        """Whether it was painted on a layer of its own."""
        return SCRIBBLES in self.facts

    def labels(self, prediction: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the labels as they were saved, made of those of the run."""
        labels = prediction.copy()
        labels.reshape(-1)[self.places] = self.values
        return labels


@dataclass(frozen=True)
class Autosaves:
    """A folder with two files per result: the run's labels, and what became of them.

    The labels of the run are written once, the other file each time. It names the file that it
    belongs to, and is renamed into its place last: what is read is always one whole state.

    Parameters
    ----------
    folder : Path
        Made when something is saved.
    """

    folder: Path

    @classmethod
    def of_user(cls, data: Path) -> Autosaves:
        """Return those in the user's data folder."""
        return cls(data / FOLDER)

    def save(self, note: Note, prediction: NDArray[np.int32]) -> str:
        """Write a result; an earlier state of it is replaced.

        Returns
        -------
        str
            Name of the file with the labels of the run: they are not written again with a note
            that has it as `beside`.

        Raises
        ------
        OSError
            If the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self._file(note.image, note.token)
        is_new = not target.exists()
        beside = self.folder / (note.beside or f"{target.stem}-{uuid4().hex[:16]}{SUFFIX}")
        if not beside.exists():
            _write(beside, {PREDICTION: np.ascontiguousarray(prediction)})
        header = _header(note, beside.name)
        _write(target, {HEADER: header, PLACES: note.places, VALUES: note.values})
        for older in self.folder.glob(f"{target.stem}-*{SUFFIX}"):
            if older != beside:
                older.unlink(missing_ok=True)
        if is_new:
            self._forget_oldest()
        return beside.name

    def delete(self, image: str, token: str) -> None:
        """Delete what was saved of a result, if anything was.

        Raises
        ------
        OSError
            If the folder cannot be written.
        """
        # The one without which the other says nothing goes first.
        self._file(image, token).unlink(missing_ok=True)
        for path in self.folder.glob(f"{image}-{token}-*{SUFFIX}"):
            path.unlink(missing_ok=True)

    def is_empty(self) -> bool:
        """Tell, quickly, whether nothing is saved."""
        return not any(self._notes("*"))

    def of_image(self, image: str) -> tuple[list[Note], list[str]]:
        """Return what was saved of an image, the newest first, and a sentence per damaged file.

        Damaged files are set aside.
        """
        notes, problems = [], []
        for path in self._notes(image):
            try:
                notes.append(_read_note(path))
            except DAMAGED as error:
                # Another napari may have deleted it by now.
                if path.exists():
                    problems.append(self._set_aside(path, error))
        return sorted(notes, key=lambda note: note.date, reverse=True), problems

    def again(self, note: Note) -> Note:
        """Return what is saved of a result by now.

        Raises
        ------
        ValueError
            If that is nothing any more.
        OSError
            If the folder cannot be read.
        """
        for newest in self.of_image(note.image)[0]:
            if newest.token == note.token:
                return newest
        raise ValueError(
            "Expected the corrections that were offered, got none; another window of napari has "
            "taken or deleted them, look there."
        )

    def prediction(self, note: Note) -> NDArray[np.int32]:
        """Return the labels of the run that a note belongs to.

        Raises
        ------
        ValueError
            If the file is damaged; it is set aside.
        OSError
            If it cannot be read.
        """
        path = self._file(note.image, note.token)
        try:
            return _read_prediction(path.with_name(note.beside), note)
        except DAMAGED as error:
            raise ValueError(self._set_aside(path, error)) from error

    def _file(self, image: str, token: str) -> Path:
        return self.folder / f"{image}-{token}{SUFFIX}"

    def _notes(self, image: str) -> Iterator[Path]:
        for path in self.folder.glob(f"{image}-*"):
            name = FILE.fullmatch(path.name)
            if name is not None and path.name == f"{name[1]}{SUFFIX}":
                yield path

    def _set_aside(self, path: Path, error: Exception) -> str:
        """Rename a damaged file so that it is not read again, and return a sentence about it."""
        aside = path.with_name(path.name + SET_ASIDE)
        path.replace(aside)
        reason = " ".join(str(error).split()).rstrip(".")
        return (
            f"Expected saved corrections in {path.name!r}, got a damaged file ({reason}); it is "
            f"set aside as {aside.name!r} in {str(path.parent)!r}."
        )

    def _forget_oldest(self) -> None:
        """Delete what was saved of all but the newest results, and files never finished."""
        ages: dict[str, float] = {}
        for path in self.folder.iterdir():
            name, age = FILE.fullmatch(path.name), time_of(path)
            if name is not None:
                ages[name[1]] = max(ages.get(name[1], 0.0), age)
            elif path.match(f".*{SUFFIX}") and time.time() - age > LEFTOVER_SECONDS:
                path.unlink(missing_ok=True)
        for result in sorted(ages, key=lambda name: ages[name])[:-MOST_RESULTS]:
            self.delete(*result.split("-"))
            for damaged in self.folder.glob(f"{result}*{SET_ASIDE}"):
                damaged.unlink(missing_ok=True)


def time_of(path: Path) -> float:
    """Return when a file was changed last; long ago if another program has deleted it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _write(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write what `numpy.load` reads, compressed with little effort: three times as fast."""
    # On 21 million px: .23 s and 1.6 MB, where `savez_compressed` takes .71 s for .7 MB.
    with (
        overwriting(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _header(note: Note, beside: str) -> NDArray[np.uint8]:
    """Return everything but the arrays, as bytes of JSON."""
    header = {
        "format": FORMAT,
        "image": note.image,
        "token": note.token,
        "facts": note.facts,
        "nuclei": note.n_nuclei,
        "confirmed": note.confirmed,
        "date": note.date.astimezone(UTC).isoformat(timespec="seconds"),
        "prediction": beside,
    }
    return np.frombuffer(json.dumps(header).encode(), np.uint8)


def _read_note(path: Path) -> Note:
    """Return what a file holds, checked."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        header = json.loads(file[HEADER].tobytes().decode())
        places, values = file[PLACES], file[VALUES]
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("it was not written by this version of napari-unet")
    confirmed = tuple(
        it if isinstance(it, int) else tuple((int(a), int(b)) for a, b in it)
        for it in header["confirmed"]
    )
    note = Note(
        header["image"],
        header["token"],
        header["facts"],
        header["nuclei"],
        confirmed,
        places,
        values,
        datetime.fromisoformat(header["date"]),
        header["prediction"],
    )
    _check(note, path.stem)
    return note


def _check(note: Note, stem: str) -> None:
    """Raise a ValueError, KeyError or TypeError if what was read is not what was written."""
    places, values, facts = note.places, note.values, note.facts
    if f"{note.image}-{note.token}" != stem:
        raise ValueError("it is that of another image")
    _check_scribbles(**facts) if note.is_scribbles else _check_facts(facts)
    if note.date.tzinfo is None or not (isinstance(note.n_nuclei, int) and note.n_nuclei >= 0):
        raise ValueError("its date or its number of nuclei is wrong")
    types_fit = places.dtype == np.int64 and values.dtype == np.int32
    if not types_fit or places.shape != values.shape:
        raise ValueError("its arrays do not fit each other")
    if places.ndim != 1 or min(places.min(initial=0), values.min(initial=0)) < 0:
        raise ValueError("its labels or their places are out of range")
    if not re.fullmatch(rf"{stem}-[0-9a-f]{{16}}{re.escape(SUFFIX)}", note.beside):
        raise ValueError("it does not name the labels of the run")


def _check_facts(facts: dict[str, Any]) -> None:
    """Raise a ValueError, KeyError or TypeError if a result does not say what made it."""
    if not all(isinstance(facts[name], str) for name in TEXTS):
        raise ValueError("it does not say what made the result")
    _check_settings(**facts["settings"])


def _check_scribbles(*, scribbles: str, background: int, result: str) -> None:
    """Raise a ValueError or TypeError if these are no facts of scribbles."""
    if not (isinstance(scribbles, str) and isinstance(result, str) and background >= 1):
        raise ValueError("it does not say what the scribbles are")


def _check_settings(
    *, diameter: float, channel: int | None, link: str, instances: dict[str, Any], **_: Any
) -> None:
    """Raise a ValueError or TypeError if settings of a run are none that are used later."""
    is_index = channel is None or (isinstance(channel, int) and channel >= 0)
    if not (0 < diameter < np.inf and is_index and isinstance(link, str)):
        raise ValueError("it does not say how the result was made")
    InstanceSettings(**instances)


def _read_prediction(path: Path, note: Note) -> NDArray[np.int32]:
    """Return the labels that a note belongs to, checked."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        labels: NDArray[np.int32] = file[PREDICTION]
    if labels.dtype != np.int32 or labels.ndim < 2 or labels.min(initial=0) < 0:
        raise ValueError("the labels of the run are none")
    if note.places.max(initial=-1) >= labels.size:
        raise ValueError("its labels lie beyond those of the run")
    parts = [it for it in note.confirmed if not isinstance(it, int)]
    if any(len(part) != labels.ndim for part in parts):
        raise ValueError("its confirmed parts have other axes than the labels")
    return labels
