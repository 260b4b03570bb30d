"""Planes as the network wants them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet.images.intensity import to_rgb
from napari_unet.images.planes import resized


@pytest.mark.parametrize("size", [(14, 10), (4, 3), (7, 5)])
def test_grey_is_resampled_once_to_what_each_channel_would_become(size):
    grey = to_rgb(np.random.default_rng(0).random((7, 5), np.float32))
    seen = resized(grey, size)
    assert seen.strides[0] == 0
    np.testing.assert_array_equal(seen, resized(np.ascontiguousarray(grey), size))
