"""How often a nucleus that is two gets cut into these two.

    python benchmarks/splitting.py DATA [--model nuclei] [--device auto]

DATA is as for ``benchmarks/accuracy.py``. A nucleus that was found is two if more than half of
each of two true ones, and of no third, lies in it, and each is at least a tenth of it. Such a one
is cut as by the key of the dock: right if both true nuclei have an IoU of .5 or more with a part.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from accuracy import read_cases
from numpy.typing import NDArray
from scipy import ndimage

from napari_unet.api import model_settings
from napari_unet.network.library import load_model
from napari_unet.nuclei.splitting import parts_of
from napari_unet.segmentation import finish, segment

Labels = NDArray[np.int32]
LEAST_SHARE = 0.1


def merged(found: Labels, truth: Labels) -> Iterator[tuple[NDArray[np.intp], list[int]]]:
    """Yield the pixels of each nucleus that is two, and the labels of these."""
    sizes = np.bincount(truth.ravel())
    for number, box in enumerate(ndimage.find_objects(found), 1):
        if box is None:
            continue
        pixels = np.stack(np.nonzero(found[box] == number))
        pixels += np.array([[part.start] for part in box])
        ids, counts = np.unique(truth[tuple(pixels)], return_counts=True)
        is_in_it = (2 * counts > sizes[ids]) & (counts >= LEAST_SHARE * pixels.shape[1])
        inside = ids[is_in_it & (ids > 0)].tolist()
        if len(inside) == 2:
            yield pixels, inside


def outcome(pixels: NDArray[np.intp], inside: list[int], truth: Labels) -> str:
    try:
        parts = parts_of(pixels)
    except ValueError:
        return "not cut"
    drawn = np.zeros_like(truth)
    drawn[tuple(pixels)] = parts
    best = [
        max(iou(drawn == part, truth == number) for part in range(1, parts.max() + 1))
        for number in inside
    ]
    return "both right" if min(best) >= 0.5 else "otherwise"


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(one & other) / np.count_nonzero(one | other))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    model = load_model(options.model, options.device)
    counts: Counter[str] = Counter()
    for case in read_cases(options.data):
        result = finish(segment(case.pixels, case.axes, model.predict, model_settings(model)))
        counts.update(outcome(*it, case.truth) for it in merged(result.labels, case.truth))
    print(f"{counts.total()} nuclei that are two: {dict(counts)}")


if __name__ == "__main__":
    main()
