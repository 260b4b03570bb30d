"""What needs no network: the methods that `accuracy.py` holds the U-Net against."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2gray
from skimage.feature import multiscale_basic_features, peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.future import fit_segmenter, predict_segmenter
from skimage.segmentation import watershed

from napari_unet.images.intensity import Normalisation
from napari_unet.images.planes import network_input
from napari_unet.learning.datasets import Pair, find_pairs, read_pair
from napari_unet.nuclei.instances import instances

Labels = NDArray[np.int32]
Forests = dict[str, Any]
"""One classifier for "grey" images and one for "colour" ones."""

BACKGROUND, NUCLEUS = 1, 2  # 0 is "not known" to scikit-image
N_IMAGES = 150
N_PIXELS = 300  # of each training image
SIDE = 256  # px; features of whole large images would take most of the time
# As in scikit-image's example "Trainable segmentation using local features and random forests".
N_TREES = 50
DEPTH = 10
FEATURES = partial(multiscale_basic_features, sigma_min=1, sigma_max=16, channel_axis=0)


def otsu_and_watershed(pixels: NDArray[Any]) -> Labels:
    """Otsu's threshold, split by a watershed of the distance: the textbook without learning."""
    grey = rgb2gray(pixels[..., :3]) if pixels.ndim == 3 else pixels
    smooth = gaussian(grey, 1)
    inside = smooth > threshold_otsu(smooth)
    inside = ~inside if inside.mean() > 0.5 else inside
    distance = gaussian(ndimage.distance_transform_edt(inside), 1)
    peaks = peak_local_max(distance, min_distance=5, labels=ndimage.label(inside)[0])
    seeds = np.zeros(inside.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return np.asarray(watershed(-distance, seeds, mask=inside), np.int32)


def sort_of(pixels: NDArray[Any]) -> str:
    """Tell which forest an image (y, x) or (y, x, s) belongs to."""
    return "colour" if pixels.ndim == 3 else "grey"


def train_forests(folder: Path) -> Forests:
    """Train on a fixed random sample of a folder's images; a classifier for each sort found."""
    from sklearn.ensemble import RandomForestClassifier

    random = np.random.default_rng(0)
    pairs = find_pairs(folder)
    samples: dict[str, list[tuple[NDArray[np.float32], NDArray[np.intp]]]] = {}
    for chosen in random.permutation(len(pairs))[:N_IMAGES]:
        sort, features, classes = _sample(pairs[chosen], random)
        samples.setdefault(sort, []).append((features, classes))
    forests = {}
    for sort, parts in samples.items():
        features, classes = (np.concatenate(part) for part in zip(*parts, strict=True))
        forest = RandomForestClassifier(N_TREES, max_depth=DEPTH, random_state=0)
        forests[sort] = fit_segmenter(classes, features, forest)
    return forests


def forest_and_components(pixels: NDArray[Any], forests: Forests) -> Labels:
    """Classify each pixel by a random forest; the pieces are cleaned as the network's are."""
    classes = predict_segmenter(_features(pixels), forests[sort_of(pixels)])
    return instances((classes == NUCLEUS)[None].astype(np.float32))


def _sample(
    pair: Pair, random: np.random.Generator
) -> tuple[str, NDArray[np.float32], NDArray[np.intp]]:
    """Return an image's sort, and the features and classes of some pixels of a part of it."""
    image = read_pair(pair)
    pixels, truth = image.planes[0], image.labels[0]
    starts = [random.integers(0, max(0, n - SIDE), endpoint=True) for n in truth.shape]
    part = tuple(slice(start, start + SIDE) for start in starts)
    inside = truth[part].reshape(-1) > 0
    chosen = random.choice(inside.size, min(N_PIXELS, inside.size), replace=False)
    features = _features(pixels, part).reshape(inside.size, -1)
    return sort_of(pixels), features[chosen], np.where(inside[chosen], NUCLEUS, BACKGROUND)


def _features(
    pixels: NDArray[Any], part: tuple[slice, ...] = (slice(None), slice(None))
) -> NDArray[np.float32]:
    """Return local features (y, x, features) of a part, normalised as for the network."""
    channels = network_input(pixels, Normalisation())[:, *part]
    return np.asarray(FEATURES(channels if pixels.ndim == 3 else channels[:1]), np.float32)
