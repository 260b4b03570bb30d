from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels, Tracks

from napari_unet.nuclei.tracks import centres, track_table
from napari_unet.widgets import samples
from napari_unet.widgets.tracks import show_tracks, tracks_layer, why_no_tracks
from napari_unet.widgets.window import PLUGIN

MOVIE = np.array([[[1, 1, 1, 1, 0, 0]], [[2, 2, 3, 3, 0, 4]], [[2, 2, 0, 0, 0, 4]]])


def labels_layer(data: np.ndarray, names: tuple[str, ...], **fields: Any) -> Labels:
    return Labels(data, name="movie", axis_labels=names, **fields)


def test_tracks_lie_on_their_labels_and_know_their_mothers() -> None:
    fields = {"scale": (300, 0.5, 0.5), "translate": (0, 3, 4), "units": ("s", "um", "um")}
    layer = labels_layer(MOVIE, ("t", "y", "x"), **fields)
    tracks = tracks_layer(layer, (centres(MOVIE), track_table(MOVIE)))
    assert tracks.graph == {2: [1], 3: [1]}
    assert tracks.data.tolist() == [
        [1, 0, 0, 1.5],
        [2, 1, 0, 0.5],
        [2, 2, 0, 0.5],
        [3, 1, 0, 2.5],
        [4, 1, 0, 5],
        [4, 2, 0, 5],
    ]
    np.testing.assert_allclose(tracks.data_to_world((1, 2, 3)), layer.data_to_world((1, 2, 3)))
    assert tracks.units == layer.units
    assert tracks.axis_labels == layer.axis_labels


def test_axes_of_volumes_and_of_a_spanning_channel_stay() -> None:
    for names in (("t", "z", "y", "x"), ("t", "c", "y", "x")):
        layer = labels_layer(MOVIE[:, None], names, scale=(1, 5, 2, 2))
        tracks = tracks_layer(layer, (centres(MOVIE[:, None]), track_table(MOVIE[:, None])))
        assert tracks.ndim == 4
        np.testing.assert_array_equal(tracks.scale, layer.scale)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (None, "got none; click"),
        (Image(np.zeros((4, 4))), "got another one; click"),
        (labels_layer(MOVIE[0], ("y", "x")), "got the axes YX"),
        (labels_layer(MOVIE, ("z", "y", "x")), "got the axes ZYX"),
        (labels_layer(MOVIE[:, None], ("z", "t", "y", "x")), "got the axes ZTYX"),
        (labels_layer(MOVIE, ("t", "y", "x")), ""),
    ],
)
def test_what_is_no_movie_has_no_tracks(layer: Any, said: str) -> None:
    assert said in why_no_tracks(layer)
    assert bool(said) == bool(why_no_tracks(layer))


def test_the_command_shows_the_sample_movies_tracks_once(
    make_napari_viewer_proxy: Any, qtbot: Any, notes: list[str]
) -> None:
    viewer = make_napari_viewer_proxy()
    for data, fields, kind in samples.movie():
        getattr(viewer, f"add_{kind}")(data, **fields)
    show_tracks(viewer)
    assert notes == [why_no_tracks(viewer.layers["movie"])]
    for _ in range(2):
        viewer.layers.selection.active = viewer.layers["movie truth"]
        before = {id(layer) for layer in viewer.layers}
        show_tracks(viewer)
        qtbot.waitUntil(
            lambda known=before: any(
                isinstance(it, Tracks) and id(it) not in known for it in viewer.layers
            ),
            timeout=60_000,
        )
    shown = [layer for layer in viewer.layers if isinstance(layer, Tracks)]
    assert [layer.name for layer in shown] == ["movie truth tracks"]
    assert len(shown[0].graph) == 20


def test_the_command_is_in_the_menu_for_tracks(make_napari_viewer_proxy: Any) -> None:
    from npe2 import PluginManager

    make_napari_viewer_proxy()
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    commands = [it.command for it in manifest.contributions.menus["napari/layers/track"]]
    assert commands == [f"{PLUGIN}.show_tracks"]
