"""The command that shows the tracks of a movie's nuclei in a layer of napari's."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Tracks
from napari.utils.notifications import show_error, show_info
from numpy.typing import NDArray

from napari_unet.nuclei.tracks import Table, centres, track_table
from napari_unet.widgets.corrections import facts_of, is_result
from napari_unet.widgets.layers import full_resolution, spatial_fields
from napari_unet.widgets.measured_layer import likely_axes
from napari_unet.widgets.running import Failed, one_sentence
from napari_unet.widgets.workers import worker_for

if TYPE_CHECKING:
    import napari.viewer

OF_LAYER = "napari_unet_tracks_of"  # in a layer's metadata: whose tracks these are
NO_LABELS = (
    "Expected the active layer to be labels of a movie, with its frames along the first axis, got "
    "{}; click the result in the layer list."
)

Found = tuple[NDArray[np.float64], Table]
"""Where the nuclei are, as `nuclei.tracks.centres` says, and their tracks."""


def show_tracks(viewer: "napari.viewer.Viewer") -> None:
    """Show the tracks of the active labels, with lines from mothers to daughters."""
    show_tracks_of(viewer, viewer.layers.selection.active)


def show_tracks_of(viewer: Any, layer: Any) -> None:
    """Show the tracks of a layer when they are found, or say why it has none."""
    if reason := why_no_tracks(layer):
        show_error(reason)
        return
    worker = worker_for(_find_tracks, full_resolution(layer))
    worker.returned.connect(partial(_show, viewer, layer))
    worker.start()


def why_no_tracks(layer: Any) -> str:
    """Return in a sentence why a layer has no tracks; empty if it has."""
    if not isinstance(layer, Labels):
        return NO_LABELS.format("another one" if layer is not None else "none")
    if not likely_axes(layer).startswith("T"):
        return NO_LABELS.format(f"the axes {likely_axes(layer) or 'unknown'}")
    if is_result(layer) and facts_of(layer)["settings"]["link"] == "none":
        return (
            f"Expected labels whose frames are linked, got {layer.name!r}, which was segmented "
            "with planes: none; segment it with another choice."
        )
    return ""


def tracks_layer(layer: Labels, found: Found) -> Tracks:
    """Return a layer of tracks that lies where their labels do."""
    positions, table = found
    return Tracks(
        positions,
        graph={int(track): [int(parent)] for track, _, _, parent in table if parent},
        name=f"{layer.name} tracks",
        metadata={OF_LAYER: str(layer.unique_id)},
        # An axis of labels that spans all channels is one like the others.
        **spatial_fields(layer, likely_axes(layer).replace("C", "")),
    )


def _find_tracks(labels: Any) -> Found | Failed:
    """Look for tracks in napari's worker thread, in a copy: the user paints on."""
    try:
        labels = np.array(labels)
        return centres(labels), track_table(labels)
    # Whatever it is: the user must hear of it.
    except Exception as error:
        advice = "nothing was changed, segment the movie again"
        return Failed(one_sentence(error, "The tracks could not be found", advice))


def _show(viewer: Any, layer: Labels, found: Found | Failed) -> None:
    """Add the layer in the place of an earlier one, unless the labels are gone."""
    if layer not in viewer.layers:
        return
    if isinstance(found, Failed):
        show_error(found.sentence)
    elif not len(found[0]):
        show_info(f"There are no nuclei in {layer.name!r}, and so no tracks.")
    else:
        own = str(layer.unique_id)
        for earlier in [it for it in viewer.layers if it.metadata.get(OF_LAYER) == own]:
            viewer.layers.remove(earlier)
        viewer.add_layer(tracks_layer(layer, found))
