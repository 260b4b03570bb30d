"""The layer that colours nuclei by what is right or wrong with them, and how to get to one."""

from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Labels
from napari.utils import DirectLabelColormap
from numpy.typing import NDArray

from napari_unet.nuclei.comparison import middle
from napari_unet.nuclei.errors import COLOURS, Finding, Kind
from napari_unet.widgets.going import bring_into_view
from napari_unet.widgets.layers import SPATIAL
from napari_unet.widgets.scribbles import PREVIEW

OPACITY = 0.7


def new_error_layer(found: Labels, image: NDArray[np.uint8]) -> Labels:
    """Return a layer of kinds, where the labels lie that were judged."""
    fields = {name: getattr(found, name) for name in SPATIAL}
    fields["affine"] = found.affine.affine_matrix
    colours: dict[int | None, Any] = {None: np.zeros(4), 0: np.zeros(4)}
    colours.update({int(kind): colour for kind, colour in COLOURS.items()})
    layer = Labels(
        image,
        name=f"{found.name}, compared",
        metadata={PREVIEW: True},
        colormap=DirectLabelColormap(color_dict=colours),
        features=pd.DataFrame(
            {"index": [int(kind) for kind in Kind], "kind": [kind.words for kind in Kind]}
        ),
        opacity=OPACITY,
        **fields,
    )
    layer.editable = False
    return layer


def go_to(viewer: Any, layer: Labels, finding: Finding) -> None:
    """Bring a finding into the middle of the canvas, on its plane, neither tiny nor too large."""
    low, high = ([getattr(part, end) for part in finding.box] for end in ("start", "stop"))
    bring_into_view(viewer, layer, middle(finding), low, high)
