from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest

from napari_unet.images import identity as module
from napari_unet.images.identity import identity


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, shape, np.uint8)


def in_pieces(*shape: int) -> Any:
    return dask.array.from_array(noise(*shape))


@pytest.mark.parametrize("name", ["cells", "renamed"])
def test_the_same_pixels_are_the_same_image_in_a_moved_file_or_a_renamed_layer(
    tmp_path: Path, name: str
) -> None:
    file = tmp_path / "cells.tif"
    file.write_bytes(b"1234")
    first = identity(noise(40, 50), str(file), "cells")
    moved = file.rename(tmp_path / "moved.tif")
    for path in (None, str(file), str(moved)):
        assert identity(noise(40, 50), path, name) == first


@pytest.mark.parametrize(
    "pixels",
    [noise(50, 40), noise(40, 50).astype(np.uint16), noise(40, 50, seed=1)],
    ids=["shape", "type", "pixels"],
)
def test_another_image_is_another(pixels: np.ndarray) -> None:
    assert identity(pixels, None, "cells") != identity(noise(40, 50), None, "cells")


def test_one_pixel_makes_another_image() -> None:
    changed = noise(40, 50)
    changed[17, 31] += 1
    assert identity(changed, None, "cells") != identity(noise(40, 50), None, "cells")


def test_a_file_read_in_pieces_counts_by_path_size_and_time_and_not_by_the_layers_name(
    tmp_path: Path,
) -> None:
    file = tmp_path / "cells.tif"
    file.write_bytes(b"1234")
    first = identity(in_pieces(8, 8), str(file), "cells")
    assert identity(in_pieces(8, 8), str(file), "renamed") == first
    os.utime(file, ns=(0, 0))
    assert identity(in_pieces(8, 8), str(file), "cells") != first


def test_where_there_is_no_file_the_name_counts() -> None:
    pixels = in_pieces(8, 8)
    assert identity(pixels, "https://example.org/a.zarr", "a") == identity(pixels, None, "a")
    assert identity(pixels, None, "b") != identity(pixels, None, "a")


def test_a_folder_counts_by_its_path_whatever_is_written_beside_it(tmp_path: Path) -> None:
    first = identity(in_pieces(8, 8), str(tmp_path), "cells")
    (tmp_path / "more").write_text("labels")
    assert identity(in_pieces(8, 8), str(tmp_path), "cells") == first


@pytest.mark.parametrize(
    ("shape", "n_blocks"),
    [((300, 200), 9), ((300, 3), 9), ((5, 300, 200), 27), ((2, 5, 300, 200, 3), 27)],
)
def test_of_what_is_read_piece_by_piece_a_few_blocks_are_read(
    shape: tuple[int, ...], n_blocks: int
) -> None:
    read: list[Any] = []

    class Lazy:
        def __init__(self, pixels: np.ndarray) -> None:
            self._pixels, self.shape, self.dtype = pixels, pixels.shape, pixels.dtype

        def __getitem__(self, place: Any) -> np.ndarray:
            read.append(self._pixels[place])
            return read[-1]

    first = identity(Lazy(noise(*shape)), None, "cells")
    assert len(read) == n_blocks
    assert all(block.size <= 64 * 64 * 3 for block in read)
    assert identity(Lazy(noise(*shape, seed=1)), None, "cells") != first


def test_a_very_large_array_is_read_like_a_lazy_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_WHOLE", 0)
    lazy = dask.array.from_array(noise(4, 300, 200), chunks=(1, 100, 100))
    assert identity(noise(4, 300, 200), None, "a") == identity(lazy, None, "a")
