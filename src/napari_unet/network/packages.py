"""The model file in a package of the BioImage Model Zoo that napari-unet has exported."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path

from napari_unet.network import SUFFIX
from napari_unet.network.files import LARGEST_FILE

PACKAGE = ".zip"
MODEL = f"model{SUFFIX}"
"""Name of the model file in a package."""
MOST_PACKED = 100  # times smaller than the model: weights hardly get smaller, zip bombs do
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1  # bit of a member's flags
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


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
    target = folder / f"{path.stem}{SUFFIX}"
    try:
        with zipfile.ZipFile(path) as package, target.open("xb") as copy:
            member = _member(package, path.stat().st_size)
            # Of a member that goes on after the size that it states, the rest is never read.
            with package.open(member) as packed:
                shutil.copyfileobj(packed, copy)
    except (*UNREADABLE, ValueError) as error:
        raise ValueError(
            f"Expected a package that napari-unet has exported, got {path.name!r} "
            f"({str(error).rstrip('.')}); export it again."
        ) from error
    return target


def _member(package: zipfile.ZipFile, n_bytes: int) -> zipfile.ZipInfo:
    """Return the model file of an open package, if it may be read by what the zip says of it."""
    members = [member for member in package.infolist() if member.filename == MODEL]
    if len(members) != 1:
        raise ValueError(f"it holds {len(members)} files {MODEL}")
    (member,) = members
    if not 0 <= member.header_offset < n_bytes:
        raise ValueError("it is damaged")
    if member.file_size > LARGEST_FILE:
        raise ValueError(f"its {MODEL} has more than 1 GiB")
    if member.file_size > MOST_PACKED * member.compress_size:
        raise ValueError(f"its {MODEL} is packed more than {MOST_PACKED} times smaller")
    if member.compress_type not in PLAIN or member.flag_bits & ENCRYPTED:
        raise ValueError(f"its {MODEL} is encrypted, or packed in a way of its own")
    return member
