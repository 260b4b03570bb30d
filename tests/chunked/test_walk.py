"""Labels that are made block by block are those that are made in memory."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_unet.chunked.plan import MOST_VOXELS, Plan
from napari_unet.chunked.walk import segment_in_blocks, write_labels_in_blocks
from napari_unet.images.intensity import Normalisation
from napari_unet.images.ome_zarr import create_labels
from napari_unet.images.planes import as_bytes
from napari_unet.images.synthetic import nuclei_field, nuclei_movie, nuclei_stack
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.segmentation import SegmentSettings, finish, segment, walk_order


def blurred(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """A network that looks a few pixels far, and sees nuclei where it is brighter than around.

    Its maps are whole 255ths: tiles are kept as bytes, which would round others.
    """
    near, far = (gaussian_filter(pixels[0], sigma, truncate=3) for sigma in (1.0, 5.0))
    nucleus = 1 / (1 + np.exp(-12 * (near - 0.3)))
    maps = np.stack([nucleus, far - near, (2 * (near - far) + 0.4) * nucleus]).astype(np.float32)
    return as_bytes(maps).astype(np.float32) / np.float32(255)


def in_blocks(
    image: NDArray[np.integer], axes: str, settings: SegmentSettings, side: int, folder: Path
) -> NDArray[np.integer]:
    folder.mkdir(exist_ok=True)
    plan = Plan(folder / "parts", axes, image.shape, settings, side)
    table = finish(segment_in_blocks(plan, lambda: image, lambda: blurred))
    path = folder / "labels.zarr"
    create_labels(path, plan.label_shape, plan.label_axes, plan.sides[-1], {}, {})
    list(write_labels_in_blocks(plan, table, path))
    return np.asarray(zarr.open_array(path / "0", mode="r"))


def crowd(axes: str) -> NDArray[np.integer]:
    if axes == "TYX":
        return nuclei_movie((4, 150, 180), n=30, seed=2)[0]
    if axes == "TZYX":
        stack = nuclei_stack((6, 100, 120), n=40, seed=3)[0]
        return np.stack([stack, np.roll(stack, 2, axis=-1)])
    if axes == "ZYX":
        return nuclei_stack((8, 130, 150), n=90, anisotropy=3.0, seed=1)[0]
    return nuclei_field((230, 310), n=200, diameter=16.0, seed=5)[0]


@pytest.mark.parametrize("side", [50, 64, 97, 1000])
@pytest.mark.parametrize(
    ("axes", "link"),
    [("YX", "auto"), ("ZYX", "none"), ("TYX", "auto")],
)  # fmt: skip
def test_labels_are_those_of_the_walk_in_memory(axes, link, side, tmp_path):
    image = crowd(axes)
    settings = SegmentSettings(diameter=18.0, link=link, tile=96, overlap=64, anisotropy=3.0)
    whole = finish(segment(image, axes, blurred, settings)).labels
    assert whole.max() > 20
    np.testing.assert_array_equal(in_blocks(image, axes, settings, side, tmp_path), whole)


@pytest.mark.parametrize("link", ["volume", "overlap"])
@pytest.mark.parametrize(("axes", "side"), [("ZYX", 50), ("ZYX", 1000), ("TZYX", 97)])
def test_nuclei_of_volumes_are_those_of_the_walk_in_memory(axes, side, link, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_unet.chunked.plan.DEPTH", 5)
    image = crowd(axes)
    image[..., 3, 40:90, 20:110] = 0  # gaps of one plane, over faces of blocks
    settings = SegmentSettings(diameter=18.0, link=link, tile=96, overlap=64, anisotropy=3.0)
    apart = finish(segment(image, axes, blurred, replace(settings, link="none"))).labels
    whole = finish(segment(image, axes, blurred, settings)).labels
    assert whole.max() > 10
    assert link == "volume" or np.count_nonzero(whole[apart == 0]) > 100
    np.testing.assert_array_equal(in_blocks(image, axes, settings, side, tmp_path), whole)


@pytest.mark.parametrize(
    ("axes", "link", "most_voxels"), [("ZYX", "volume", 1 << 24), ("ZTYX", "none", 40_000)]
)
def test_three_views_are_those_of_the_walk_in_memory(
    axes, most_voxels, link, tmp_path, monkeypatch
):
    monkeypatch.setattr("napari_unet.chunked.plan.MOST_VOXELS", most_voxels)
    image = nuclei_stack((14, 40, 110), n=30, anisotropy=3.0, seed=1)[0]
    if axes == "ZTYX":
        image = np.stack([image, np.roll(image, 2, axis=-1)], axis=1)
    settings = SegmentSettings(diameter=18.0, link=link, tile=96, overlap=64, anisotropy=3.0)
    settings = replace(settings, views="three")
    whole = finish(segment(image, axes, blurred, settings)).labels.transpose(walk_order(axes)[0])
    planes = finish(segment(image, axes, blurred, replace(settings, views="planes"))).labels
    assert whole.max() > 10
    assert np.count_nonzero((whole > 0) != (planes.transpose(walk_order(axes)[0]) > 0)) > 500
    np.testing.assert_array_equal(in_blocks(image, axes, settings, 50, tmp_path), whole)


def colours() -> NDArray[np.integer]:
    grey = crowd("YX")
    return np.stack([grey, grey // 2, grey // 3, np.full_like(grey, 9)], axis=-1)


@pytest.mark.parametrize(
    ("image", "axes", "change"),
    [
        (np.stack([crowd("YX")[::-1], crowd("YX")]), "CYX", {"channel": 1}),
        (colours(), "YXS", {}),
        (crowd("TYX"), "TYX", {"normalisation": Normalisation(per="stack")}),
        (crowd("TYX") / crowd("TYX").max(), "TYX", {"normalisation": Normalisation(per="type")}),
        (crowd("ZYX").swapaxes(0, 1)[:, :, None], "YZTX", {}),
        (crowd("YX"), "YX", {"instances": InstanceSettings(drop_rim=True, max_size=150)}),
    ],
    ids=["channel", "colour", "per stack", "per type", "axes in another order", "rim and sizes"],
)
def test_channels_colours_and_settings_count_as_in_memory(image, axes, change, tmp_path):
    settings = SegmentSettings(diameter=18.0, anisotropy=1.0, tile=96, overlap=64, **change)
    whole = finish(segment(image, axes, blurred, settings)).labels.transpose(walk_order(axes)[0])
    assert whole.max() > 15
    np.testing.assert_array_equal(in_blocks(image, axes, settings, 70, tmp_path), whole)


@pytest.mark.parametrize("diameter", [40.0, 10.0])
def test_a_rescaled_image_has_the_same_nuclei_whatever_the_blocks(diameter, tmp_path):
    settings = SegmentSettings(diameter=diameter, tile=96, overlap=64)
    image = nuclei_field((230, 310), n=150, diameter=diameter, seed=5)[0]
    whole = finish(segment(image, "YX", blurred, settings)).labels
    assert whole.max() > 20
    # Resampling rounds differently in the last bit of float32, so that a byte may differ by one.
    labels = in_blocks(image, "YX", settings, 70, tmp_path)
    assert labels.max() == whole.max()
    assert np.count_nonzero(labels != whole) <= 1e-3 * whole.size


@pytest.mark.parametrize(("depth", "anisotropy"), [(20, 3.0), (300, 1.0), (300, 5.0)])
def test_a_block_of_a_volume_sees_what_memory_is_for(depth, anisotropy, tmp_path):
    settings = SegmentSettings(diameter=22.0, anisotropy=anisotropy)
    plan = Plan(tmp_path, "ZYX", (depth, 5000, 5000), settings)
    seen = [pixels_of(block.view) for block in plan.blocks]
    assert MOST_VOXELS / 5 < max(seen) <= MOST_VOXELS


@pytest.mark.parametrize("depth", [30, 300])
def test_a_slab_of_a_stack_sees_what_memory_is_for(depth, tmp_path):
    settings = SegmentSettings(diameter=22.0, anisotropy=2.0, views="three")
    plan = Plan(tmp_path, "ZYX", (depth, 2000, 3000), settings)
    seen = [depth * pixels_of(slab.block.view) for slab in plan.slabs]
    assert MOST_VOXELS / 5 < max(seen) <= MOST_VOXELS
    for axis in (0, 1):
        cores = [pixels_of(slab.block.core) for slab in plan.slabs if slab.axis == axis]
        assert sum(cores) == 2000 * 3000


def pixels_of(place: tuple[slice, ...]) -> int:
    return math.prod(part.stop - part.start for part in place)


def test_an_image_without_pixels_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected an image with pixels"):
        Plan(tmp_path, "YX", (0, 5), SegmentSettings())
