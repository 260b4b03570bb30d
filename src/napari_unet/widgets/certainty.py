"""How sure the network was of the nuclei of a result, in the layer's table of features."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_unet.nuclei.confidence import carried_over
from napari_unet.widgets.running import Finished

CONFIDENCE = "confidence"  # the column


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


def features_of(confidence: NDArray[np.float32] | None) -> pd.DataFrame:
    """Return the features of a Labels layer; they are of the nuclei as the run drew them.

    Examples
    --------
    >>> features_of(np.array([np.nan, 0.5, np.nan, 0.25], np.float32))
       index  confidence
    0      1        0.50
    1      3        0.25
    """
    known = np.zeros(0, np.intp) if confidence is None else np.flatnonzero(~np.isnan(confidence))
    values = np.zeros(0, np.float32) if confidence is None else confidence[known]
    return pd.DataFrame({"index": known, CONFIDENCE: values})
