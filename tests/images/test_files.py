"""Image and label files of every kind, whole and broken."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_unet.images.files import image_files, read_image, read_labels, write_labels

SCALE = {"Z": 2.0, "Y": 0.3, "X": 0.25}
MICROMETRES = {"Z": "um", "Y": "um", "X": "um"}


@pytest.fixture
def labels() -> np.ndarray:
    stack = np.zeros((5, 16, 24), np.int32)
    stack[1:3, 2:6, 3:9] = 1
    stack[2, 10:14, 10:20] = 300
    return stack


@pytest.mark.parametrize("name", ["a.tif", "a.tiff", "a.ome.tif", "a.OME.TIFF"])
@pytest.mark.parametrize(("factor", "dtype"), [(1, np.uint16), (300, np.uint32)])
def test_labels_come_back_from_tiff_with_axes_and_voxel_size(tmp_path, labels, name, factor, dtype):
    write_labels(tmp_path / name, labels * factor, "ZYX", SCALE, MICROMETRES)
    image = read_image(tmp_path / name)
    assert image.data.dtype == dtype
    np.testing.assert_array_equal(read_labels(tmp_path / name), labels * factor)
    assert image.axes == "ZYX"
    assert image.scale == pytest.approx(SCALE)
    assert image.units == MICROMETRES


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_time_steps_and_other_units_come_back(tmp_path, labels, name):
    scale = {"T": 2.5, "Y": 300.0, "X": 300.0}
    units = {"T": "min", "Y": "nm", "X": "nm"}
    write_labels(tmp_path / name, labels, "TYX", scale, units)
    image = read_image(tmp_path / name)
    assert image.axes == "TYX"
    assert image.scale == pytest.approx(scale)
    assert image.units == units


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_unknown_voxel_size_stays_unknown(tmp_path, labels, name):
    write_labels(tmp_path / name, labels, "ZYX")
    assert read_image(tmp_path / name).scale == {}


def test_labels_come_back_from_png(tmp_path, labels):
    write_labels(tmp_path / "a.png", labels[2], "YX")
    restored = read_labels(tmp_path / "a.png")
    assert restored.dtype == np.int32
    np.testing.assert_array_equal(restored, labels[2])


def test_png_refuses_stacks_and_large_labels(tmp_path, labels):
    with pytest.raises(ValueError, match="for PNG"):
        write_labels(tmp_path / "a.png", labels, "ZYX")
    with pytest.raises(ValueError, match="for PNG"):
        write_labels(tmp_path / "a.png", labels[2] * 300, "YX")
    assert list(tmp_path.iterdir()) == []


def test_tiff_labels_are_compressed(tmp_path):
    write_labels(tmp_path / "a.tif", np.zeros((512, 512), np.int32), "YX")
    assert (tmp_path / "a.tif").stat().st_size < 50_000


def test_an_existing_file_is_kept_unless_overwriting_is_allowed(tmp_path, labels):
    path = tmp_path / "a.tif"
    write_labels(path, labels, "ZYX")
    with pytest.raises(FileExistsError, match="existing"):
        write_labels(path, labels * 0, "ZYX")
    np.testing.assert_array_equal(read_labels(path), labels)
    write_labels(path, labels * 0, "ZYX", overwrite=True)
    assert not read_labels(path).any()


@pytest.mark.parametrize(
    ("wrong", "axes", "name", "sentence"),
    [
        (np.zeros((4, 4)), "YX", "a.tif", "whole numbers"),
        (np.zeros((0, 4), int), "YX", "a.tif", "at least one pixel"),
        (np.full((4, 4), -1), "YX", "a.tif", "from 0 to"),
        (np.full((4, 4), 2**32), "YX", "a.tif", "from 0 to"),
        (np.zeros((4, 4), int), "ZYX", "a.tif", "2 dimensions"),
        (np.zeros((2, 4, 4), int), "CYX", "a.tif", "without C and S"),
        (np.zeros((4, 4), int), "YX", "a.jpg", "change the ending"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_left(
    tmp_path, wrong, axes, name, sentence
):
    with pytest.raises(ValueError, match=sentence):
        write_labels(tmp_path / name, wrong, axes)
    assert list(tmp_path.iterdir()) == []


def test_ome_tiff_gives_axes_voxel_size_and_channel_names(tmp_path):
    metadata = {
        "axes": "ZCYX",
        "PhysicalSizeX": 0.2,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeZ": 500,
        "PhysicalSizeZUnit": "nm",
        "Channel": {"Name": ["DAPI", "GFP"]},
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((3, 2, 8, 8), np.uint8), metadata=metadata)
    image = read_image(tmp_path / "a.ome.tif")
    assert image.axes == "ZCYX"
    assert image.scale == {"Z": 500, "X": 0.2}
    assert image.units == {"Z": "nm", "X": "um"}
    assert image.channels == ("DAPI", "GFP")


def test_imagej_tiff_gives_axes_and_voxel_size(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((3, 2, 8, 8), np.uint16),
        imagej=True,
        resolution=(4, 2),
        metadata={"axes": "ZCYX", "unit": "micron", "spacing": 3},
    )
    image = read_image(tmp_path / "a.tif")
    assert image.axes == "ZCYX"
    assert image.scale == {"Z": 3, "Y": 0.5, "X": 0.25}
    assert set(image.units.values()) == {"um"}


@pytest.mark.parametrize("unit", ["pixel", "Pixels", "inch"])
def test_a_unit_of_imagej_that_is_none_gives_no_size(tmp_path, unit):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((2, 8, 8), np.uint16),
        imagej=True,
        resolution=(4, 2),
        metadata={"axes": "CYX", "unit": unit, "Labels": ["DAPI", "GFP"]},
    )
    image = read_image(tmp_path / "a.tif")
    assert (image.scale, image.units, image.channels) == ({}, {}, ("DAPI", "GFP"))


@pytest.mark.parametrize(("most_bytes", "is_imagej"), [(2 * 64, False), (2 * 64 + 1, True)])
def test_labels_too_many_for_imagej_s_format_are_a_plain_tiff(
    tmp_path, monkeypatch, most_bytes, is_imagej
):
    monkeypatch.setattr("napari_unet.images.calibration.LARGEST_IMAGEJ_BYTES", most_bytes)
    for side in (8, 9):
        labels = np.full((side, 8), 7, np.int32)
        write_labels(tmp_path / f"{side}.tif", labels, "YX")
        with tifffile.TiffFile(tmp_path / f"{side}.tif") as tiff:
            assert tiff.is_imagej == (is_imagej and side == 8)
        np.testing.assert_array_equal(read_labels(tmp_path / f"{side}.tif"), labels)


@pytest.mark.parametrize(
    ("dots_per_inch", "scale"),
    [((72, 72), {}), ((50_800, 25_400), {"Y": 1.0, "X": 0.5}), ((50_800, 0), {"X": 0.5})],
)
def test_print_resolution_is_not_taken_for_a_pixel_size(tmp_path, dots_per_inch, scale):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((8, 8), np.uint8),
        resolution=dots_per_inch,
        resolutionunit="inch",
        metadata=None,
    )
    assert read_image(tmp_path / "a.tif").scale == pytest.approx(scale)


def test_pages_without_names_are_guessed_from_the_shape(tmp_path):
    pages = np.arange(5 * 8 * 8, dtype=">u2").reshape(5, 8, 8)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack", metadata=None)
    image = read_image(tmp_path / "a.tif")
    assert image.axes == "ZYX"
    assert image.data.dtype.isnative
    np.testing.assert_array_equal(image.data, pages)


def test_two_samples_of_a_pixel_are_channels(tmp_path):
    pixels = np.arange(40, dtype=np.uint8).reshape(4, 5, 2)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", planarconfig="contig")
    image = read_image(tmp_path / "a.tif")
    assert image.axes == "YXC"
    np.testing.assert_array_equal(image.data, pixels)


def test_colours_of_tiff_come_last(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (3, 40, 32), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb", planarconfig="separate")
    image = read_image(tmp_path / "a.tif")
    assert image.axes == "YXS"
    np.testing.assert_array_equal(image.data, colours.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("shape", "dtype", "axes"),
    [
        ((8, 6), np.uint8, "YX"),
        ((8, 6), np.uint16, "YX"),
        ((8, 6, 3), np.uint8, "YXS"),
        ((8, 6, 4), np.uint8, "YXS"),
    ],
)
def test_png_keeps_type_and_colours(tmp_path, shape, dtype, axes):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    iio.imwrite(tmp_path / "a.PNG", pixels, extension=".png")
    image = read_image(tmp_path / "a.PNG")
    assert image.axes == axes
    assert image.data.dtype == dtype
    np.testing.assert_array_equal(image.data, pixels)


def test_grey_png_with_alpha_is_grey(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (8, 6, 2), np.uint8)
    iio.imwrite(tmp_path / "a.png", pixels, mode="LA")
    image = read_image(tmp_path / "a.png")
    assert image.axes == "YX"
    np.testing.assert_array_equal(image.data, pixels[..., 0])


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.bmp"])
def test_other_pictures_are_read(tmp_path, name):
    iio.imwrite(tmp_path / name, np.full((8, 6), 90, np.uint8))
    np.testing.assert_allclose(read_image(tmp_path / name).data, 90, atol=2)


def test_a_missing_file_is_named(tmp_path):
    for read in (read_image, read_labels, image_files):
        with pytest.raises(FileNotFoundError, match=r"none\.tif"):
            read(tmp_path / "none.tif")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.tif", b"", "empty file"),
        ("a.tif", b"hello world", "not a TIFF file"),
        ("a.tif", b"II*\0" + b"\xff" * 40, "can be read"),
        ("a.png", b"hello world", "can be read"),
        ("a.npy", b"\x93NUMPY", "that ends in"),
        ("a.ome.zarr.zip", b"PK", "unpack it first"),
        ("a", b"x", "that ends in"),
    ],
)
def test_a_broken_or_unknown_file_is_refused_in_one_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=sentence) as refusal:
        read_image(tmp_path / name)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_cut_off_stack_is_refused(tmp_path, kept):
    path = tmp_path / "a.tif"
    pages = np.random.default_rng(0).integers(0, 255, (5, 32, 32), np.uint8)
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, metadata=None, contiguous=False)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match="Expected an image that can be read"):
        read_image(path)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(ValueError, match="folder"):
        read_image(tmp_path)


def test_whole_numbers_in_floats_are_labels(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.array([[0, 1], [2, 3]], np.float32))
    assert read_labels(tmp_path / "a.tif").tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    "pixels",
    [
        np.array([[0, 0.5]], np.float32),
        np.array([[0, np.nan]], np.float32),
        np.array([[0, -1]], np.int16),
        np.array([[0, 2**31]], np.uint32),
        np.array([[0, 1j]], np.complex64),
    ],
)
def test_pixels_that_are_no_labels_are_refused(tmp_path, pixels):
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    with pytest.raises(ValueError, match="as labels"):
        read_labels(tmp_path / "a.tif")


def test_a_colour_picture_is_no_labels(tmp_path):
    iio.imwrite(tmp_path / "a.png", np.zeros((8, 6, 3), np.uint8))
    with pytest.raises(ValueError, match="colours"):
        read_labels(tmp_path / "a.png")


def test_image_files_are_sorted_without_hidden_and_other_files(tmp_path):
    for name in ("b.tif", "a.PNG", ".hidden.tif", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.tif").mkdir()
    assert image_files(tmp_path) == [tmp_path / "a.PNG", tmp_path / "b.tif"]


def test_a_file_is_its_own_list(tmp_path):
    (tmp_path / "a.tif").touch()
    assert image_files(tmp_path / "a.tif") == [tmp_path / "a.tif"]
