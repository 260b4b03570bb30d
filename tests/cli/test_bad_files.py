"""Files that the command line cannot use, or that only look so, in one table.

A row is what was tried and the words of the one sentence that comes out; nothing is written, and a
good file beside it is segmented all the same.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from imageio.plugins.pillow import PillowPlugin

from napari_unet.images.files import read_image, read_labels
from napari_unet.images.synthetic import nuclei_field

IMAGE = nuclei_field((48, 56), n=4, seed=1)[0]
OPTIONS = ("--diameter", 18, "--device", "cpu")

TIFF_SHORT, TIFF_LONG = 3, 4


def tiff_that_claims(width: int, height: int) -> bytes:
    """Return a TIFF file of 130 bytes that says it has so many pixels of 16 bits."""
    n_bytes = min(2 * width * height, 2**32 - 1)
    tags = [
        (256, TIFF_LONG, width), (257, TIFF_LONG, height), (258, TIFF_SHORT, 16),
        (259, TIFF_SHORT, 1), (262, TIFF_SHORT, 1), (273, TIFF_LONG, 8), (277, TIFF_SHORT, 1),
        (278, TIFF_LONG, height), (279, TIFF_LONG, n_bytes),
    ]  # fmt: skip
    entries = [struct.pack("<HHII", code, kind, 1, value) for code, kind, value in tags]
    return b"II" + struct.pack("<HIH", 42, 8, len(tags)) + b"".join(entries) + bytes(4)


def png_that_claims(width: int, height: int) -> bytes:
    """Return a PNG file that says it has so many grey pixels of 8 bits."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + content + struct.pack(">I", 9) + b"IDAT" + bytes(13)


def cut(suffix: str, n_bytes: int) -> Callable[[Path], Path]:
    """Return a writer of an image that is cut off after, or before its last, so many bytes."""

    def write(folder: Path) -> Path:
        path = folder / f"cut{suffix}"
        iio.imwrite(path, (IMAGE >> 8).astype(np.uint8))
        path.write_bytes(path.read_bytes()[:n_bytes])
        return path

    return write


def holding(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def as_folder(folder: Path) -> Path:
    (folder / "folder.tif").mkdir()
    return folder / "folder.tif"


def as_link_to_itself(folder: Path) -> Path:
    (folder / "loop.tif").symlink_to(folder / "loop.tif")
    return folder / "loop.tif"


def as_damaged_pixels(folder: Path) -> Path:
    path = folder / "damaged.tif"
    tifffile.imwrite(path, IMAGE, compression="zlib")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :: 7] = bytes(len(content[len(content) // 2 :: 7]))
    path.write_bytes(content)
    return path


def as_complex(folder: Path) -> Path:
    tifffile.imwrite(folder / "complex.tif", IMAGE.astype(np.complex64))
    return folder / "complex.tif"


def as_many_axes(folder: Path) -> Path:
    tifffile.imwrite(folder / "axes.tif", np.zeros((2, 2, 2, 2, 8, 8), np.uint8))
    return folder / "axes.tif"


UNUSABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "none.tif", "check the path"),
    "missing in a missing folder": (lambda folder: folder / "no" / "none.tif", "check the path"),
    "empty TIFF": (holding("a.tif", b""), "the empty file"),
    "empty PNG": (holding("a.png", b""), "the empty file"),
    **{
        f"{suffix} cut after {n} bytes": (cut(suffix, n), "check that the file is whole")
        for suffix in (".tif", ".png", ".jpg", ".bmp")
        for n in (1, 8, 100)
    },
    "TIFF without its last byte": (cut(".tif", -1), "check that the file is whole"),
    "damaged pixels": (as_damaged_pixels, "check that the file is whole"),
    "text": (holding("a.tif", b"pixels, promised\n" * 100), "check that the file is whole"),
    "PNG called TIFF": (holding("a.tif", b"\x89PNG\r\n\x1a\n" + bytes(50)), "not a TIFF file"),
    "text called PNG": (holding("a.png", b"pixels, promised"), "check that the file is whole"),
    "another kind": (holding("a.czi", b"ZISRAWFILE"), "convert it to TIFF first"),
    "no ending": (holding("image", b"II*\0"), "convert it to TIFF first"),
    "a folder": (as_folder, "folder.tif"),
    "a link to itself": (as_link_to_itself, "loop"),
    "2 TB of pixels": (holding("a.tif", tiff_that_claims(2**20, 2**20)), "2199.0 GB of memory"),
    "more pixels than can be": (holding("a.tif", tiff_that_claims(2**32 - 1, 2**32 - 1)), "memory"),
    "more pixels than a PNG may have": (
        holding("a.png", png_that_claims(2**31 - 1, 2**31 - 1)), "exceeds limit"
    ),
    "a PNG without its pixels": (
        holding("a.png", png_that_claims(9, 9)), "check that the file is whole"
    ),
    "no pixels": (holding("a.tif", tiff_that_claims(0, 0)), "a.tif"),
    "a chain of pages in a circle": (
        holding("a.tif", tiff_that_claims(2, 2)[:-4] + struct.pack("<I", 8)),
        "a.tif",
    ),
    "complex numbers": (as_complex, "complex64"),
    "six axes": (as_many_axes, "2 to 5 axes"),
}  # fmt: skip


def content_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("make", "words"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_cannot_be_used_is_told_in_a_sentence(
    run, assert_refused, tmp_path, model, make, words
):
    path = make(tmp_path)
    before = content_of(tmp_path)
    assert_refused(run("segment", path, "-m", model, *OPTIONS), 1, words)
    assert content_of(tmp_path) == before


@pytest.mark.parametrize(
    "command",
    [
        ("measure", "{}", "-o", "table.csv"),
        ("measure", "good.tif", "--image", "{}", "-o", "table.csv"),
        ("evaluate", "{}", "good.tif"),
        ("evaluate", "good.tif", "{}"),
    ],
    ids=["labels", "image", "prediction", "truth"],
)
@pytest.mark.parametrize("name", ["empty TIFF", "damaged pixels", "2 TB of pixels", "a folder"])
def test_other_commands_tell_it_too(run, assert_refused, tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    path = UNUSABLE[name][0](tmp_path)
    tifffile.imwrite("good.tif", np.ones((48, 56), np.uint16))
    before = content_of(tmp_path)
    result = run(*(part.format(path) for part in command))
    assert result.exit_code in (1, 2)
    assert_refused(result, result.exit_code, path.name)
    assert content_of(tmp_path) == before


NAMES = [
    "with space.tif", "åéîøü ß.tif", "核の画像.tif", "🔬 cells.tif", "a'b\"c.tif", "%d {0}.tif",
    "[a-z]*.tif", "#1.tif", "~.tif", "A.TIFF", "two..dots.tif", "n" * 239 + ".tif",
]  # fmt: skip
ODD = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")


@ODD
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:12])
def test_a_file_of_any_name_is_segmented(run, tmp_path, model, name):
    folder = tmp_path / "a fôlder 🧫"
    folder.mkdir()
    tifffile.imwrite(folder / name, IMAGE)
    result = run("segment", folder / name, "-m", model, *OPTIONS)
    assert result.exit_code == 0, result.output
    labels = folder / f"{Path(name).stem}_labels.tif"
    assert read_labels(labels).shape == IMAGE.shape


def test_a_name_that_leaves_no_room_for_that_of_the_labels_is_told(run, tmp_path, model):
    path = tmp_path / ("n" * 246 + ".tif")
    tifffile.imwrite(path, IMAGE)
    result = run("segment", path, "-m", model, *OPTIONS)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "File name too long" in result.stderr
    assert run("segment", path, "-m", model, "-o", tmp_path / "out", *OPTIONS).exit_code == 1
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == [path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
@pytest.mark.skipif(
    sys.platform != "win32" and os.geteuid() == 0, reason="root may read and write everything"
)
def test_a_file_without_permission_is_told(run, assert_refused, tmp_path, model):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    (tmp_path / "a.tif").chmod(0)
    result = run("segment", tmp_path / "a.tif", "-m", model, *OPTIONS)
    assert_refused(result, 1, "Permission denied")


def test_a_file_that_the_system_does_not_let_us_read_is_told(
    run, assert_refused, tmp_path, model, monkeypatch
):
    def denied(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    monkeypatch.setattr(tifffile, "TiffFile", denied)
    result = run("segment", tmp_path / "a.tif", "-m", model, *OPTIONS)
    assert_refused(result, 1, "Permission denied")


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_memory_is_asked_before_it_is_taken(tmp_path, monkeypatch, name):
    iio.imwrite(tmp_path / name, np.zeros((1000, 1000), np.uint16))
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Free", (), {"available": 10**6}))
    for reader, name_of_it in ((tifffile.TiffPageSeries, "asarray"), (PillowPlugin, "read")):
        monkeypatch.setattr(reader, name_of_it, lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(ValueError, match=r"needs 2\.0 MB of memory, and 1\.0 MB are free"):
        read_image(tmp_path / name)


def test_good_files_beside_bad_ones_are_segmented(run, tmp_path, model):
    for make, _ in list(UNUSABLE.values())[2:8]:
        make(tmp_path)
    tifffile.imwrite(tmp_path / "good.tif", IMAGE)
    result = run("segment", tmp_path, "-m", model, *OPTIONS)
    assert result.exit_code == 1
    assert read_labels(tmp_path / "good_labels.tif").shape == IMAGE.shape
