"""Files in a package of the BioImage Model Zoo: the model file of our own, and parts of others."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from napari_unet.network import SUFFIX
from napari_unet.network.files import LARGEST_FILE

PACKAGE = ".zip"
MODEL = f"model{SUFFIX}"
"""Name of the model file in a package that napari-unet has exported."""
MOST_PACKED = 100  # times smaller than the weights: they hardly get smaller, zip bombs do
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1  # bit of a member's flags
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml")
"""Names of descriptions, or how they end."""


@dataclass(frozen=True)
class Package:
    """A package, as a zip or a folder; of a folder, no file outside of it is read.

    Parameters
    ----------
    path : Path
        The zip, or the folder that holds the description.
    """

    path: Path

    @property
    def stem(self) -> str:
        """What it is called, without the ending of a zip."""
        return self.path.name if self.path.is_dir() else self.path.stem

    def names(self) -> list[str]:
        """Return the names of its files, of a folder those that lie in it directly.

        Raises
        ------
        OSError
            If it is not there.
        ValueError
            If it is no zip.
        """
        if self.path.is_dir():
            return sorted(file.name for file in self.path.iterdir() if file.is_file())
        try:
            with zipfile.ZipFile(self.path) as package:
                return package.namelist()
        except UNREADABLE as error:
            raise ValueError(_reason(error)) from error

    def description(self) -> str:
        """Return the name of its description.

        Raises
        ------
        ValueError
            If it has none.
        """
        found = [n for n in self.names() if "/" not in n and n.endswith(DESCRIPTIONS)]
        if not found:
            raise ValueError(f"it holds neither {MODEL} nor {' or '.join(DESCRIPTIONS)}")
        return found[0]

    def read(self, name: str, largest: int, *, is_packed: bool = True) -> bytes:
        """Return the content of a file.

        Parameters
        ----------
        name : str
            As the description has it.
        largest : int
            Bytes it may have.
        is_packed : bool
            Whether a zip may hold it many times smaller than it is.

        Raises
        ------
        ValueError
            If there is no such file, or it cannot be read, or that is too large.
        """
        if self.path.is_dir():
            return self._read_file(name, largest)
        try:
            with zipfile.ZipFile(self.path) as package:
                member = _member(package, name, self.path.stat().st_size, largest)
                if not is_packed:
                    _check_packing(member)
                with package.open(member) as packed:
                    return packed.read()
        except UNREADABLE as error:
            raise ValueError(_reason(error)) from error

    def _read_file(self, name: str, largest: int) -> bytes:
        file = (self.path / name).resolve()
        if not file.is_relative_to(self.path.resolve()) or not file.is_file():
            raise ValueError(f"it holds no file {name!r}")
        if file.stat().st_size > largest:
            raise ValueError(f"its {name!r} has more than {largest} bytes")
        return file.read_bytes()


def unpack_model(path: Path, folder: Path) -> Path:
    """Write the model file of a package into a folder, under the package's name, and return it.

    Nothing else of the package is read, and no name in it becomes that of a file. The model file
    itself is not checked.

    Raises
    ------
    FileNotFoundError
        If there is no such package.
    ValueError
        If it is no zip, damaged, without such a file, or that is too large.
    """
    target = folder / f"{Package(path).stem}{SUFFIX}"
    try:
        if path.is_dir():
            target.write_bytes(Package(path).read(MODEL, LARGEST_FILE))
            return target
        with zipfile.ZipFile(path) as package, target.open("xb") as copy:
            member = _member(package, MODEL, path.stat().st_size, LARGEST_FILE)
            _check_packing(member)
            # Of a member that goes on after the size that it states, the rest is never read.
            with package.open(member) as packed:
                shutil.copyfileobj(packed, copy)
    except (*UNREADABLE, ValueError) as error:
        raise ValueError(
            f"Expected a package that napari-unet has exported, got {path.name!r} "
            f"({_reason(error)}); export it again."
        ) from error
    return target


def _member(package: zipfile.ZipFile, name: str, n_bytes: int, largest: int) -> zipfile.ZipInfo:
    """Return a file of an open package, if it may be read by what the zip says of it."""
    members = [member for member in package.infolist() if member.filename == name]
    if len(members) != 1:
        raise ValueError(f"it holds {len(members)} files {name}")
    (member,) = members
    if not 0 <= member.header_offset < n_bytes:
        raise ValueError("it is damaged")
    if member.file_size > largest:
        raise ValueError(f"its {name} has more than {largest} bytes")
    if member.compress_type not in PLAIN or member.flag_bits & ENCRYPTED:
        raise ValueError(f"its {name} is encrypted, or packed in a way of its own")
    return member


def _check_packing(member: zipfile.ZipInfo) -> None:
    if member.file_size > MOST_PACKED * member.compress_size:
        raise ValueError(f"its {member.filename} is packed more than {MOST_PACKED} times smaller")


def _reason(error: Exception) -> str:
    return str(error).rstrip(".")
