"""Columns that a user, or another plugin, wrote into a result's table of features."""

import numpy as np
import pandas as pd
from napari.layers import Labels
from numpy.typing import NDArray

from napari_unet.nuclei.linking import match
from napari_unet.nuclei.measuring import INDEX_NAMES
from napari_unet.widgets.certainty import CONFIDENCE, INDEX, PARENT

COLUMNS = "napari_unet_measured"  # in a layer's metadata: which of its features were measured
LEAST_SHARED = 0.5  # intersection over union: of no two nuclei can the same one have more

Heirs = NDArray[np.int32]


def by_nucleus(layer: Labels) -> pd.DataFrame:
    """Return the features of a layer with the number of the nucleus in the column ``index``.

    That is napari's own name for it, or the row where there is no such column.
    """
    features = pd.DataFrame(layer.features).reset_index(drop=True)
    if INDEX not in features:
        features.insert(0, INDEX, np.arange(len(features)))
    # What is no number can be no nucleus's, and would not be compared with one.
    features[INDEX] = pd.to_numeric(features[INDEX], errors="coerce")
    return features


def own_columns(layer: Labels) -> list[str]:
    """Return which columns of a result are neither of its run nor measured."""
    not_own = {INDEX, CONFIDENCE, PARENT, *layer.metadata.get(COLUMNS, ())}
    return [name for name in pd.DataFrame(layer.features) if name not in not_own]


def heirs(earlier: NDArray[np.integer], labels: NDArray[np.int32]) -> Heirs:
    """Return the nuclei that are still there after a run, (n, 2): earlier and present number.

    A nucleus is the same where both share half of what they cover or more, as all do that were
    corrected or called right, whatever their numbers.

    Parameters
    ----------
    earlier, labels : (..., y, x) integers
        As the user had left them, and as they are shown now.

    Examples
    --------
    >>> heirs(np.array([7, 7, 7, 0, 3]), np.array([1, 1, 1, 2, 0])).tolist()
    [[7, 1]]
    """
    origins = match(earlier, labels, LEAST_SHARED)
    numbers = np.unique(labels[labels > 0])
    return np.stack([origins, numbers], axis=1)[origins > 0].astype(np.int32)


def kept_columns(layer: Labels, features: pd.DataFrame, found: Heirs) -> pd.DataFrame:
    """Return the features of a new run with the user's own columns of an earlier one.

    Parameters
    ----------
    layer : Labels
        The result, as it was before the run.
    features : pandas.DataFrame
        Of the run, see `certainty.features_of`.
    found : (n, 2)
        See `heirs`; nuclei that are none of these have missing values.
    """
    if not (own := own_columns(layer)):
        return features
    before = by_nucleus(layer)
    # In a movie that was measured a nucleus has a row for each frame.
    keys = [INDEX, *(name for name in measured_frames(layer) if name in before)]
    before = before[[*keys, *own]].drop_duplicates(keys)
    before[INDEX] = before[INDEX].map(dict(found.tolist()))
    carried = before.dropna(subset=[INDEX]).astype({INDEX: int})
    return features.merge(carried, how="outer", on=INDEX).reset_index(drop=True)


def measured_frames(layer: Labels) -> list[str]:
    """Return which measured columns tell the rows of one nucleus apart."""
    return [name for name in layer.metadata.get(COLUMNS, ()) if name in INDEX_NAMES.values()]
