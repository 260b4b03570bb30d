"""All corrections ever made for a line of models, kept in one folder as crops."""

from __future__ import annotations

import hashlib
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock

from napari_unet.images.atomic import overwriting
from napari_unet.learning.crop_files import LARGEST_FILE, nuclei_in, read_crop, write_crop
from napari_unet.learning.crops import Crop
from napari_unet.network import SUFFIX

FOLDER = "corrections"
LOCK = ".lock"
LARGEST_ARCHIVE = 2**32  # bytes, unpacked
FILE_NAME = re.compile(rf"[0-9a-f]{{16}}-[0-9a-f]{{16}}{re.escape(SUFFIX)}")
UNREADABLE_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


@dataclass(frozen=True)
class StoreSize:
    """What a store holds: ``n_crops`` files, ``n_bytes`` on disk, ``n_nuclei`` in them."""

    n_crops: int
    n_bytes: int
    n_nuclei: int


@dataclass(frozen=True)
class Store:
    """A folder with one ``.safetensors`` file per crop.

    A file is named after its crop's source and place: a part of an image that is corrected
    again replaces what was known of it.

    Parameters
    ----------
    folder : Path
        Made when the first crop is added.
    """

    folder: Path

    @classmethod
    def of_line(cls, data: Path, line: str) -> Store:
        """Return the store of a model and all its descendants.

        Parameters
        ----------
        data : Path
            The user's data folder.
        line : str
            Name or SHA-256 of the model that the line began with; any text.
        """
        # The words are for the user, the hash tells apart what makes the same words.
        words = re.sub(r"[^a-z0-9]+", "-", line.lower()).strip("-")[:32]
        return cls(data / FOLDER / f"{words or 'model'}-{_hash(line)}")

    def add(self, crops: Iterable[Crop]) -> list[Path]:
        """Write crops and return their files; the date is now where a crop has none.

        Raises
        ------
        OSError
            If the folder cannot be written.
        """
        return [self._write(crop) for crop in crops]

    def read(self) -> tuple[list[Crop], list[str]]:
        """Return all crops, and one sentence for each file that cannot be used."""
        crops, problems = [], []
        for path in self._files():
            try:
                crops.append(read_crop(path))
            except (ValueError, OSError) as error:
                problems.append(str(error))
        return crops, problems

    def is_empty(self) -> bool:
        """Tell, quickly, whether nothing is stored."""
        return not self._files()

    def size(self) -> StoreSize:
        """Return what the store holds, by the files' headers alone."""
        files = self._files()
        n_nuclei = sum(nuclei_in(path) for path in files)
        return StoreSize(len(files), sum(map(_bytes_of, files)), n_nuclei)

    def export(self, path: Path) -> int:
        """Write all crops into one ``.zip`` file, damaged ones left out; return how many.

        Raises
        ------
        ValueError
            If there is none, or the name has another ending.
        OSError
            If the file cannot be written.
        """
        if path.suffix != ".zip":
            raise ValueError(f"Expected a name that ends in .zip, got {path.name!r}; add it.")
        files = [file for file in self._files() if _is_whole(file)]
        if not files:
            raise ValueError("Expected corrections to export, got none; correct a nucleus first.")
        with (
            overwriting(path) as temporary,
            zipfile.ZipFile(
                temporary, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False
            ) as archive,
        ):
            for file in files:
                archive.write(file, file.name)
        return len(files)

    def import_(self, path: Path) -> int:
        """Take in the crops of an exported ``.zip`` file, and return how many came in.

        Every one is checked before the first is written. Those that the store has in an equal
        or newer version stay as they are.

        Raises
        ------
        ValueError
            If it is no such file, or anything in it is not a crop; the store is untouched then.
        OSError
            If the file cannot be read, or the folder cannot be written.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                _check_members(archive)
                for _ in _members(archive):
                    pass
                return sum(self._write_newer(crop) for crop in _members(archive))
        except UNREADABLE_ARCHIVE as error:
            raise ValueError(
                f"Expected corrections that napari-unet exported, got {path.name!r} ({error}); "
                "ask for the file again."
            ) from error

    def forget(self, source: str, kept: Iterable[Path] = ()) -> int:
        """Remove the crops of one image, but for some files, and return how many.

        After `add`, with the files that it returned, this takes away what the user has undone.
        """
        of_source = f"{_hash(source)}-"
        stays = {path.name for path in kept}
        return self._remove(lambda name: name.startswith(of_source) and name not in stays)

    def empty(self) -> int:
        """Remove all crops and return how many."""
        return self._remove(lambda name: True)

    def _files(self) -> list[Path]:
        """Return the files of all crops, not those that are being written."""
        return sorted(p for p in self.folder.glob(f"*{SUFFIX}") if FILE_NAME.fullmatch(p.name))

    def _remove(self, is_chosen: Callable[[str], bool]) -> int:
        chosen = [path for path in self._files() if is_chosen(path.name)]
        if chosen:
            with self._locked():
                for path in chosen:
                    path.unlink(missing_ok=True)
        return len(chosen)

    def _path(self, crop: Crop) -> Path:
        return self.folder / f"{_hash(crop.source)}-{_hash(crop.place)}{SUFFIX}"

    def _write(self, crop: Crop) -> Path:
        with self._locked():
            path = self._path(crop)
            write_crop(crop, path)
        return path

    def _write_newer(self, crop: Crop) -> bool:
        """Write a crop if it is not here in an equal or newer version; tell whether it was."""
        with self._locked():
            is_newer = self._lacks(crop)
            if is_newer:
                write_crop(crop, self._path(crop))
        return is_newer

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other programs from writing: what is read here is what is replaced."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / LOCK):
            yield

    def _lacks(self, crop: Crop) -> bool:
        """Tell whether a crop is not here, or here in an older or damaged version."""
        try:
            own = read_crop(self._path(crop))
        except (ValueError, OSError):
            return True
        return datetime.fromisoformat(own.date) < datetime.fromisoformat(crop.date)


def _hash(text: str) -> str:
    # A file's name may hold bytes that are no text; Python keeps them as surrogates.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _bytes_of(path: Path) -> int:
    """Return the size of a file, which another program may have removed by now."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_whole(path: Path) -> bool:
    try:
        read_crop(path)
    except (ValueError, OSError):
        return False
    return True


def _check_members(archive: zipfile.ZipFile) -> None:
    """Refuse an archive by the names and sizes in its list, before anything is unpacked."""
    for member in archive.infolist():
        if not FILE_NAME.fullmatch(member.filename) or member.file_size > LARGEST_FILE:
            raise ValueError(
                f"Expected corrections that napari-unet exported, got {member.filename!r} of "
                f"{member.file_size} bytes; take in only files that it wrote."
            )
    size = sum(member.file_size for member in archive.infolist())
    if size > LARGEST_ARCHIVE:
        raise ValueError(
            f"Expected at most 4 GiB of corrections, got {size / 2**30:.1f} GiB; export fewer."
        )


def _members(archive: zipfile.ZipFile) -> Iterator[Crop]:
    """Yield the crops of an archive, of which one at a time lies unpacked in a temporary folder."""
    for member in archive.infolist():
        with tempfile.TemporaryDirectory() as folder:
            # Python reads no more of a member than the list says, and checks its checksum.
            yield read_crop(Path(archive.extract(member, folder)))
