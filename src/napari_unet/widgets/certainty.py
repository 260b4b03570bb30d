"""What a result's table of features says: how sure the network was, and who is whose daughter."""

import numpy as np
import pandas as pd
from napari.layers import Labels
from numpy.typing import NDArray

from napari_unet.images.axes import label_axes
from napari_unet.nuclei.confidence import carried_over
from napari_unet.nuclei.tracks import Table, track_table
from napari_unet.widgets.segmenting import Finished

INDEX, CONFIDENCE, PARENT = "index", "confidence", "parent"  # the columns


def confidence_in(outcome: Finished, labels: NDArray[np.int32]) -> NDArray[np.float32] | None:
    """Return how sure the network is of each nucleus that is drawn of a run.

    Parameters
    ----------
    outcome : Finished
        The run's result.
    labels : (..., y, x) int32
        Of the whole image, as the user sees them.

    Returns
    -------
    array of float32, by label
        NaN for nuclei that the run did not find as they are drawn.
    """
    if outcome.confidence is None or labels is outcome.labels:
        return outcome.confidence
    return carried_over(outcome.confidence, outcome.labels, labels[outcome.place])


def confidence_of(layer: Labels) -> NDArray[np.float32] | None:
    """Return how sure the network was of each nucleus of a result, by label.

    None where its features do not say so, as those of one that was brought back.
    """
    features = pd.DataFrame(layer.features)
    if not {INDEX, CONFIDENCE} <= set(features.columns):
        return None
    # A table of measures has a row for each frame of a movie.
    known = features[[INDEX, CONFIDENCE]].dropna().drop_duplicates(INDEX)
    confidence = np.full(int(known[INDEX].max()) + 1 if len(known) else 1, np.nan, np.float32)
    confidence[known[INDEX].to_numpy(int)] = known[CONFIDENCE]
    return confidence


def tracks_in(outcome: Finished, labels: NDArray[np.int32]) -> Table | None:
    """Return the tracks of a movie as it is drawn; None of what is no movie, or is not linked."""
    time = label_axes(outcome.facts["axes"]).find("T")
    if time < 0 or outcome.facts["settings"]["link"] == "none":
        return None
    return track_table(np.moveaxis(labels, time, 0))


def features_of(
    confidence: NDArray[np.float32] | None, tracks: Table | None = None
) -> pd.DataFrame:
    """Return the features of a Labels layer; they are of the nuclei as the run drew them.

    Parameters
    ----------
    confidence : array of float32, by label, optional
        See `confidence_in`.
    tracks : array of int, (n, 4), optional
        Of a movie: gives all its nuclei a column with the parent's number, 0 for none.

    Examples
    --------
    >>> features_of(np.array([np.nan, 0.5, np.nan, 0.25], np.float32))
       index  confidence
    0      1        0.50
    1      3        0.25
    >>> features_of(np.array([np.nan, 0.5], np.float32), np.array([[1, 0, 0, 0], [2, 1, 4, 1]]))
       index  confidence  parent
    0      1         0.5       0
    1      2         NaN       1
    """
    known = np.zeros(0, np.intp) if confidence is None else np.flatnonzero(~np.isnan(confidence))
    values = np.zeros(0, np.float32) if confidence is None else confidence[known]
    features = pd.DataFrame({INDEX: known, CONFIDENCE: values})
    if tracks is None:
        return features
    parents = pd.DataFrame({INDEX: tracks[:, 0], PARENT: tracks[:, 3]})
    return features.merge(parents, how="right", on=INDEX)
