from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.relabel import Relabelling
from napari_unet.segmentation import SegmentSettings, finish, label_maps

OWN = InstanceSettings(min_size=4)
SMALL, LARGE = (slice(2, 5), slice(2, 6)), (slice(8, 14), slice(10, 18))


def maps_of(*shape: int) -> np.ndarray:
    """Return maps of a small nucleus, of which the network is less sure, and a large one."""
    maps = np.zeros((3, *shape), np.uint8)
    for place, value in ((SMALL, 150), (LARGE, 250)):
        maps[0][..., *place] = maps[2][..., *place] = value
    return maps


def relabelling(axes: str, *shape: int, link: str = "auto") -> tuple[Relabelling, np.ndarray]:
    settings = SegmentSettings(link=link, instances=OWN)
    maps = maps_of(*shape)
    before = finish(label_maps(maps, axes, settings))
    return Relabelling(maps, axes, settings, before, int(before.max())), before


@pytest.mark.parametrize(
    ("axes", "shape", "link"),
    [
        ("YX", (16, 20), "auto"),
        ("ZYX", (4, 16, 20), "auto"),
        ("ZYX", (4, 16, 20), "overlap"),
        ("TYX", (3, 16, 20), "none"),
        ("TZYX", (2, 3, 16, 20), "auto"),
        ("ZTYX", (3, 2, 16, 20), "overlap"),
    ],
)
def test_there_and_back_changes_nothing(axes: str, shape: tuple[int, ...], link: str) -> None:
    again, before = relabelling(axes, *shape, link=link)
    sure = finish(again.everything(replace(OWN, threshold=0.8)))
    expected = np.where(before == before[..., 3, 3][..., None, None], 0, before)
    np.testing.assert_array_equal(sure, expected)
    np.testing.assert_array_equal(finish(again.everything(OWN)), before)


def test_a_nucleus_keeps_its_id_when_others_before_it_go() -> None:
    again, before = relabelling("YX", 16, 20)
    assert np.unique(before).tolist() == [0, 1, 2]
    assert np.unique(again.plane((), replace(OWN, min_size=20))).tolist() == [0, 2]


def test_a_new_nucleus_gets_an_id_that_none_has() -> None:
    settings = SegmentSettings(instances=replace(OWN, threshold=0.8))
    maps = maps_of(16, 20)
    before = finish(label_maps(maps, "YX", settings))
    again = Relabelling(maps, "YX", settings, before, highest=7)
    labels = again.plane((), OWN)
    assert (labels[3, 3], labels[10, 12]) == (8, 1)


@pytest.mark.parametrize("link", ["overlap", "none"])
def test_a_plane_is_that_of_the_whole(link: str) -> None:
    again, _ = relabelling("ZYX", 4, 16, 20, link=link)
    for how in (replace(OWN, threshold=0.8), replace(OWN, min_size=20), OWN):
        np.testing.assert_array_equal(again.plane((2,), how), finish(again.everything(how))[2])


def test_a_plane_of_a_volume_shows_what_sizes_choose_in_3d() -> None:
    again, before = relabelling("ZYX", 4, 16, 20)
    finish(again.everything(OWN))
    how = replace(OWN, min_size=60)  # the small one has 12 pixels on each of 4 planes
    expected = np.where(before == 1, 0, before)
    np.testing.assert_array_equal(again.plane((1,), how), expected[1])


def test_a_plane_of_a_volume_is_shown_before_the_volume_is_separated() -> None:
    again, before = relabelling("ZYX", 4, 16, 20)
    how = replace(OWN, threshold=0.8, min_size=60)
    np.testing.assert_array_equal(again.plane((1,), how), np.where(before == 1, 0, before)[1])


def test_sizes_and_the_rim_are_chosen_without_separating_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again, before = relabelling("ZYX", 4, 16, 20)
    finish(again.everything(OWN))
    monkeypatch.setattr("napari_unet.relabel.separated", lambda *_: pytest.fail("separated again"))
    for how in (replace(OWN, min_size=60), replace(OWN, max_size=60), replace(OWN, drop_rim=True)):
        finish(again.everything(how))
    kept = finish(again.everything(replace(OWN, max_size=60)))
    np.testing.assert_array_equal(kept, np.where(before == 2, 0, before))
