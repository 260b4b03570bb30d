"""What becomes of each file of a work list."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_unet.batch import read_input, segment_files, segment_image, with_channel, write_output
from napari_unet.images.files import ImageFile, read_image, read_labels, write_labels
from napari_unet.jobs import Job, choose_outputs, find_inputs
from napari_unet.segmentation import SegmentSettings

SETTINGS = SegmentSettings(diameter=10.0, model_diameter=10.0)


def bright(pixels: np.ndarray) -> np.ndarray:
    """Stand in for the network: what is bright is nucleus."""
    on = (pixels[0] > 0.5).astype(np.float32)
    return np.stack([on, np.zeros_like(on), on])


def two_squares() -> np.ndarray:
    image = np.zeros((40, 50), np.uint8)
    image[5:15, 5:15] = image[20:30, 25:35] = 200
    return image


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_a_bad_file_is_reported_and_the_others_are_segmented(tmp_path):
    iio.imwrite(tmp_path / "a.png", two_squares())
    (tmp_path / "b.png").write_bytes(b"no image")
    iio.imwrite(tmp_path / "c.png", two_squares())
    jobs = choose_outputs(find_inputs([tmp_path]), tmp_path / "new" / "out")
    results = list(segment_files(jobs, bright, SETTINGS))
    assert [result.n_nuclei for result in results] == [2, 0, 2]
    assert [type(result.error) for result in results] == [type(None), ValueError, type(None)]
    assert names(sorted((tmp_path / "new" / "out").iterdir())) == ["a_labels.tif", "c_labels.tif"]
    assert np.array_equal(read_labels(jobs[0].target) > 0, two_squares() > 0)


def test_existing_labels_are_kept_unless_they_may_be_replaced(tmp_path):
    iio.imwrite(tmp_path / "a.png", two_squares())
    job = Job(tmp_path / "a.png", tmp_path / "a_labels.tif")
    job.target.write_text("mine")
    (kept,) = segment_files([job], bright, SETTINGS)
    assert isinstance(kept.error, FileExistsError)
    assert job.target.read_text() == "mine"
    (replaced,) = segment_files([job], bright, SETTINGS, overwrite=True)
    assert replaced.error is None
    assert read_labels(job.target).max() == 2


def test_an_interrupted_file_leaves_nothing(tmp_path):
    iio.imwrite(tmp_path / "a.png", two_squares())

    def interrupt(pixels: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(segment_files(choose_outputs(find_inputs([tmp_path])), interrupt, SETTINGS))
    assert names(list(tmp_path.iterdir())) == ["a.png"]


def test_progress_names_the_file(tmp_path):
    iio.imwrite(tmp_path / "a.png", two_squares())
    seen = []
    jobs = choose_outputs([tmp_path / "a.png"])
    list(segment_files(jobs, bright, SETTINGS, progress=lambda job, step: seen.append((job, step))))
    assert [job for job, _ in seen] == jobs * 2
    assert [(step.step, step.done, step.total) for _, step in seen] == [
        ("network", 1, 1),
        ("nuclei", 1, 1),
    ]


def test_the_users_axes_win_over_those_of_the_file(tmp_path):
    write_labels(tmp_path / "a.tif", np.zeros((5, 16, 24), np.int32), "ZYX")
    assert read_input(tmp_path / "a.tif").axes == "ZYX"
    assert read_input(tmp_path / "a.tif", "t,y,x").axes == "TYX"
    with pytest.raises(ValueError, match="3 dimensions"):
        read_input(tmp_path / "a.tif", "YX")


def test_a_folder_without_images_is_named_in_the_error(tmp_path):
    with pytest.raises(ValueError, match="got none"):
        read_input(tmp_path)


def test_labels_keep_voxel_size_and_units_of_the_axes_they_have(tmp_path):
    scale, units = {"Z": 2.0, "Y": 0.5, "X": 0.25}, {"Z": "um", "Y": "um", "X": "um"}
    image = ImageFile(np.zeros((2, 3, 8, 9), np.uint8), "CZYX", scale, units)
    labels = np.ones((3, 8, 9), np.int32)
    write_output(tmp_path / "out" / "a_labels.tif", labels, image)
    written = read_image(tmp_path / "out" / "a_labels.tif")
    assert (written.axes, written.scale, written.units) == ("ZYX", pytest.approx(scale), units)
    flat = ImageFile(np.zeros((8, 9), np.uint8), "YX", scale, units)
    write_output(tmp_path / "flat_labels.tif", labels[0], flat)
    assert set(read_image(tmp_path / "flat_labels.tif").scale) == {"Y", "X"}


def test_ome_metadata_of_a_stack_goes_through_to_its_labels(tmp_path):
    scale = {"Z": 1500.0, "Y": 0.5, "X": 0.5}
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        np.stack([np.zeros((4, 40, 50), np.uint8), np.stack([two_squares()] * 4)], axis=1),
        metadata={
            "axes": "ZCYX",
            "Channel": {"Name": ["GFP", "DAPI"]},
            "PhysicalSizeZ": 1500,
            "PhysicalSizeZUnit": "nm",
            "PhysicalSizeY": 0.5,
            "PhysicalSizeX": 0.5,
        },
    )
    target = tmp_path / "out.ome.tif"
    jobs = [Job(tmp_path / "a.ome.tif", target)]
    (result,) = segment_files(jobs, bright, SETTINGS, channel_name="DAPI")
    assert (result.error, result.n_nuclei, result.remarks) == (None, 2, ())
    written = read_image(target)
    assert (written.axes, written.data.shape) == ("ZYX", (4, 40, 50))
    assert written.scale == pytest.approx(scale)
    assert written.units == {"Z": "nm", "Y": "um", "X": "um"}


def test_the_distance_of_planes_that_a_file_tells_is_used():
    image = ImageFile(np.stack([two_squares()] * 9), "ZYX", {"Z": 2.0, "Y": 0.25, "X": 0.25})
    settings = replace(SETTINGS, views="three")
    steps: list[str] = []
    # Nine planes of one pixel are no deep stack, of eight pixels they are.
    flat = replace(image, scale={})
    for seen, expected in ((flat, False), (image, True)):
        steps.clear()
        segment_image(seen, bright, settings, lambda step: steps.append(step.step))
        assert ("sides" in steps) == expected


def test_what_is_doubtful_is_remarked(tmp_path):
    write_labels(tmp_path / "a.tif", np.zeros((3, 16, 24), np.int32), "ZYX")
    (result,) = segment_files(choose_outputs([tmp_path / "a.tif"]), bright, SETTINGS)
    assert result.remarks == (
        "No nuclei were found.",
        "The distance between planes is not in the file and was taken to be 1 px.",
    )


def test_names_of_channels_in_imagej_files_are_read(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((2, 8, 9), np.uint8),
        imagej=True,
        metadata={"axes": "CYX", "Labels": ["GFP", "DAPI"]},
    )
    image = read_image(tmp_path / "a.tif")
    assert image.channels == ("GFP", "DAPI")
    assert with_channel(SETTINGS, image, " dapi ").channel == 1
    with pytest.raises(ValueError, match="Expected one channel named 'RFP', got 'GFP', 'DAPI'"):
        with_channel(SETTINGS, image, "RFP")
    with pytest.raises(ValueError, match="got no names"):
        with_channel(SETTINGS, replace(image, channels=()), "RFP")
