"""Sets of OME-TIFF files, each of which tells of the images in all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_unet.images.file_axes import tiff_layout
from napari_unet.images.files import ImageFile, read_image
from napari_unet.images.lazy import open_image
from napari_unet.jobs import find_inputs

OME = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{0}">{1}</OME>'
BINARY_ONLY = '<BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:of-the-companion"/>'


def uuid(name: str) -> str:
    return f"urn:uuid:{name}"


def image(size: float, files: list[str], of_each: int) -> str:
    planes = "".join(
        f'<TiffData IFD="{z % of_each}" FirstZ="{z}" FirstC="0" FirstT="0" PlaneCount="1">'
        f'<UUID FileName="{name}.ome.tif">{uuid(name)}</UUID></TiffData>'
        for z, name in enumerate(np.repeat(files, of_each))
    )
    return (
        '<Image><Pixels DimensionOrder="XYZCT" Type="uint16" SizeX="20" SizeY="30" SizeC="1" '
        f'SizeT="1" SizeZ="{len(files) * of_each}" PhysicalSizeX="{size}">'
        f'<Channel Name="of {files[0]}" SamplesPerPixel="1"/>{planes}</Pixels></Image>'
    )


def write(path: Path, content: str, values: list[int]) -> None:
    with tifffile.TiffWriter(path) as tiff:
        for value in values:
            pixels = np.full((30, 20), value, np.uint16)
            about = content.encode() if value == values[0] else None
            tiff.write(pixels, description=about, metadata=None, contiguous=False)


@pytest.mark.parametrize("read", [read_image, open_image])
def test_a_file_of_several_positions_gives_its_own(
    tmp_path: Path, read: Callable[[Path], ImageFile]
) -> None:
    images = image(0.25, ["a"], 2) + image(0.5, ["b"], 3)
    write(tmp_path / "a.ome.tif", OME.format(uuid("a"), images), [1, 2])
    write(tmp_path / "b.ome.tif", OME.format(uuid("b"), images), [3, 4, 5])
    for name, values, size in (("a", [1, 2], 0.25), ("b", [3, 4, 5], 0.5)):
        found = read(tmp_path / f"{name}.ome.tif")
        assert np.asarray(found.data)[:, 0, 0].tolist() == values
        assert found.scale["X"] == size
        assert found.channels == (f"of {name}",)
        assert tiff_layout(tmp_path / f"{name}.ome.tif") == ("ZYX", found.data.shape)


@pytest.mark.parametrize("read", [read_image, open_image])
def test_a_stack_over_several_files_is_whole_or_refused(
    tmp_path: Path, read: Callable[[Path], ImageFile], caplog: pytest.LogCaptureFixture
) -> None:
    about = image(0.25, ["a", "b"], 1)
    for name, value in (("a", 1), ("b", 2)):
        write(tmp_path / f"{name}.ome.tif", OME.format(uuid(name), about), [value])
    for name in "ab":
        pixels = np.asarray(read(tmp_path / f"{name}.ome.tif").data)
        assert pixels[:, 0, 0].tolist() == [1, 2]
    (tmp_path / "b.ome.tif").unlink()
    with pytest.raises(ValueError, match=r"'b\.ome\.tif' is not beside it"):
        read(tmp_path / "a.ome.tif")
    assert not caplog.records


def test_a_stack_over_several_files_is_one_input(tmp_path: Path) -> None:
    about = image(0.25, ["b", "a"], 1) + image(0.5, ["c"], 1)
    for name in "abc":
        write(tmp_path / f"{name}.ome.tif", OME.format(uuid(name), about), [1])
    (tmp_path / "d.ome.tif").write_bytes(b"no TIFF")
    files = [tmp_path / f"{name}.ome.tif" for name in "abcd"]
    assert find_inputs([tmp_path]) == files[1:]
    assert find_inputs(files) == files[1:]
    # Named without the one that it begins in, it is wanted.
    assert find_inputs(files[:1]) == files[:1]


def test_copies_of_a_file_under_other_names_are_inputs_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "day 2", "day 3"):
        about = OME.format(f"urn:uuid:of {name}", image(0.25, ["a"], 1))
        about = about.replace(uuid("a"), f"urn:uuid:of {name}")
        write(tmp_path / f"{name}.ome.tif", about, [1])
    assert len(find_inputs([tmp_path])) == 3


def test_the_case_of_a_name_in_the_metadata_does_not_count(tmp_path: Path) -> None:
    about = OME.format("", image(0.25, ["Cells"], 1)).replace(' UUID=""', "")
    write(tmp_path / "cells.ome.tif", about, [7])
    assert read_image(tmp_path / "cells.ome.tif").data.max() == 7


@pytest.mark.parametrize("read", [read_image, open_image])
def test_a_file_whose_metadata_are_in_another_one_is_read_without(
    tmp_path: Path, read: Callable[[Path], ImageFile]
) -> None:
    write(tmp_path / "a.ome.tif", OME.format(uuid("a"), BINARY_ONLY), [1, 2])
    found = read(tmp_path / "a.ome.tif")
    assert np.asarray(found.data)[:, 0, 0].tolist() == [1, 2]
    assert found.scale == {}


def test_a_file_with_another_name_than_then_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "new.ome.tif", OME.format(uuid("a"), image(0.25, ["a"], 2)), [1, 2])
    assert read_image(tmp_path / "new.ome.tif").data[:, 0, 0].tolist() == [1, 2]
