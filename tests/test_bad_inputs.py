"""What users give to the Python functions by mistake or from odd sources, in tables.

A row is what was tried and what comes out: a result, or one sentence. What was given stays as it
was, and so does the model.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pandas
import pytest
import torch
import zarr
from scipy.sparse import csr_array

import napari_unet as nu
from napari_unet.nuclei.comparison import compare
from napari_unet.nuclei.measuring import Task, steps

BRIGHT = np.zeros((40, 50), np.uint8)
BRIGHT[5:15, 5:15] = BRIGHT[20:32, 30:42] = 200
LABELS = (BRIGHT > 0).astype(np.int32)
LABELS[20:] *= 2


@pytest.fixture
def model(bright_model: Path) -> nu.Model:
    return nu.load_model(bright_model, "cpu")


def assert_one_sentence(call: Callable[[], Any], words: str) -> None:
    """Expect a ValueError or TypeError of one line that says what was expected and what to do."""
    with pytest.raises((ValueError, TypeError, FileNotFoundError)) as caught:
        call()
    sentence = str(caught.value)
    assert sentence.startswith("Expected "), sentence
    assert "\n" not in sentence
    assert words in sentence


def with_rows(value: float) -> np.ndarray:
    image = BRIGHT.astype(float)
    image[35:37] = value
    return image


def read_only() -> np.ndarray:
    image = BRIGHT.copy()
    image.flags.writeable = False
    return image


# Images of which the two squares are found, whatever they are made of.
TWO_NUCLEI: dict[str, Callable[[], Any]] = {
    **{f"type {name}": lambda name=name: (BRIGHT // 2).astype(name) for name in (
        "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
        "float16", "float32", "float64", "longdouble",
        ">i2", ">u2", ">i4", ">u4", ">i8", ">u8", ">f2", ">f4", ">f8",
    )},
    "bool": lambda: BRIGHT > 0,
    "negative": lambda: BRIGHT.astype(int) - 500,
    "64 bits at the upper end": lambda: BRIGHT * np.uint64(2**50) + np.uint64(2**63),
    "64 bits at the lower end": lambda: BRIGHT * np.int64(2**50) + np.iinfo(np.int64).min,
    "largest floats": lambda: np.where(BRIGHT > 0, 1e308, 0),
    "smallest floats": lambda: BRIGHT * 5e-324,
    "rows of NaN": lambda: with_rows(np.nan),
    "masked rows": lambda: np.ma.masked_invalid(with_rows(np.nan)),
    "masked whole numbers": lambda: np.ma.masked_greater(np.where(BRIGHT, BRIGHT, 0), 250),
    "rows of -inf": lambda: with_rows(-np.inf),
    "nuclei of inf": lambda: np.where(BRIGHT > 0, np.inf, 0),
    "nuclei of inf in NaN": lambda: np.where(BRIGHT > 0, np.inf, np.nan),
    "the same row of memory again": lambda: np.broadcast_to(BRIGHT, (1, 1, 40, 50)),
    "read-only": read_only,
    "backwards": lambda: BRIGHT[::-1, ::-1],
    "columns first": lambda: np.asfortranarray(BRIGHT),
    "every second column": lambda: np.repeat(BRIGHT, 2, axis=1)[:, ::2],
    "a list": BRIGHT.tolist,
    "a tensor": lambda: torch.from_numpy(BRIGHT.copy()),
    "a table": lambda: pandas.DataFrame(BRIGHT),
    "dask": lambda: dask.array.from_array(BRIGHT, chunks=(16, 16)),
    "zarr": lambda: zarr.array(BRIGHT, chunks=(16, 16)),
    "colours": lambda: np.stack([BRIGHT] * 3, -1),
    "colours and alpha": lambda: np.stack([BRIGHT] * 3 + [np.full_like(BRIGHT, 255)], -1),
    "five axes": lambda: BRIGHT[None, None, None],
}  # fmt: skip


def unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, np.ma.MaskedArray):
        return bool((np.ma.getmask(before) == np.ma.getmask(after)).all())
    return bool(np.array_equal(np.asarray(before), np.asarray(after), equal_nan=True))


@pytest.mark.parametrize("make", TWO_NUCLEI.values(), ids=TWO_NUCLEI)
def test_two_nuclei_are_found_in_an_image_of_any_make(model: nu.Model, make) -> None:
    image = make()
    labels = nu.segment(image, model=model, diameter=20)
    assert labels.dtype == np.int32
    assert labels.max() == 2
    assert unchanged(make(), image)


NO_NUCLEI: dict[str, tuple[Any, tuple[int, ...]]] = {
    "no pixels": (np.zeros((0, 0)), (0, 0)),
    "no rows": (np.zeros((0, 50)), (0, 50)),
    "no columns": (np.zeros((50, 0)), (50, 0)),
    "no planes": (np.zeros((0, 40, 50)), (0, 40, 50)),
    "one pixel": (np.ones((1, 1)), (1, 1)),
    "one row": (np.zeros((1, 50)), (1, 50)),
    "three columns": (np.zeros((40, 3)), (40, 3)),
    "constant": (np.full((40, 50), 7), (40, 50)),
    "NaN alone": (np.full((40, 50), np.nan), (40, 50)),
    "masked altogether": (np.ma.masked_all((40, 50)), (40, 50)),
    "colours of NaN": (np.full((40, 50, 3), np.nan), (40, 50)),
}


@pytest.mark.parametrize(("image", "shape"), NO_NUCLEI.values(), ids=NO_NUCLEI)
def test_nothing_to_see_gives_no_nuclei_and_no_warning(model: nu.Model, image, shape) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = nu.segment(image, model=model, diameter=20)
    assert labels.shape == shape
    assert not labels.any()


def raising(_: np.ndarray) -> np.ndarray:
    raise OSError("the share is gone")


def zarr_with(tmp_path: Path, damage: Callable[[Path], Any]) -> zarr.Array:
    """Return an array on disk of which one chunk is damaged."""
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=BRIGHT.shape, chunks=(20, 25), dtype="uint8", fill_value=0
    )
    array[:] = np.maximum(BRIGHT, 1)
    chunks = [file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".json"]
    damage(sorted(chunks)[0])
    return array


def test_a_missing_chunk_of_zarr_is_background(model: nu.Model, tmp_path: Path) -> None:
    array = zarr_with(tmp_path, Path.unlink)
    assert nu.segment(array, model=model, diameter=20).max() == 1


def test_a_damaged_chunk_of_zarr_is_told(model: nu.Model, tmp_path: Path) -> None:
    array = zarr_with(tmp_path, lambda file: file.write_bytes(b"rubbish"))
    assert_one_sentence(lambda: nu.segment(array, model=model), "check the file")


def test_a_masked_pixel_counts_as_not_there(model: nu.Model) -> None:
    image = np.ma.masked_array(BRIGHT, BRIGHT > 0)
    image.mask[:16] = False
    assert nu.segment(image, model=model, diameter=20).max() == 1


# Of a type that NumPy lacks.
HALF_FLOATS = torch.from_numpy(LABELS).bfloat16()
UNUSABLE_IMAGES: dict[str, tuple[Any, str]] = {
    "complex": (BRIGHT.astype(np.complex64), "real numbers, got ndarray of complex64"),
    "objects": (BRIGHT.astype(object), "of object"),
    "texts": (BRIGHT.astype(str), "of <U3"),
    "bytes": (BRIGHT.astype("S3"), "of |S3"),
    "times": (BRIGHT.astype("m8[s]"), "of timedelta64[s]"),
    "dates": (BRIGHT.astype("M8[s]"), "of datetime64[s]"),
    "records": (np.zeros((40, 50), [("a", "u1")]), "of [('a', 'u1')]"),
    "None": (None, "got NoneType"),
    "the name of a file": ("cells.tif", "read a file into an array first"),
    "a path": (Path("cells.tif"), "read a file into an array first"),
    "a mapping": ({"image": BRIGHT}, "got dict"),
    "rows of two lengths": ([[1, 2], [3]], "rows of equal length"),
    "rows without an entry": ([[None, 1], [2, 3]], "got list of object"),
    "numbers beyond 64 bits": ([[2**70, 1], [1, 2]], "got list of object"),
    "objects in blocks": (dask.array.from_array(BRIGHT.astype(object), chunks=16), "of object"),
    "a sparse matrix": (csr_array(BRIGHT), "convert it by toarray()"),
    "a tensor with a gradient": (HALF_FLOATS.float().requires_grad_(), "got Tensor (Can't call"),
    "a tensor of bfloat16": (HALF_FLOATS, "got Tensor (Got unsupported ScalarType BFloat16)"),
    "a group of zarr": (zarr.group(), "got the shape (0,)"),
    "no axis": (np.array(3), "got the shape ()"),
    "one axis": (BRIGHT[0], "got the shape (50,)"),
    "six axes": (np.zeros((1, 1, 2, 2, 40, 50)), "take one part of the image"),
    "a block that raises": (
        dask.array.from_array(BRIGHT, chunks=(16, 16)).map_blocks(raising, dtype=np.uint8),
        "got an error (OSError: the share is gone)",
    ),
    # A block that was read would say so in other words.
    "a lazy image of terabytes": (
        dask.array.zeros((2**20, 2**20), chunks=2**15).map_blocks(raising, dtype=np.uint8),
        "got 1048576 x 1048576 pixels, whose maps and labels need 7696.6 GB, and ",
    ),
    "a shape that is not known": (
        dask.array.from_array(BRIGHT)[dask.array.from_array(BRIGHT[:, 7] > 0)], "known shape"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("image", "words"), UNUSABLE_IMAGES.values(), ids=UNUSABLE_IMAGES)
@pytest.mark.parametrize("function", [nu.segment, nu.predict])
def test_what_is_no_image_is_refused(model: nu.Model, function, image, words: str) -> None:
    assert_one_sentence(lambda: function(image, model=model), words)


UNUSABLE_LABELS: dict[str, Any] = {
    "floats": LABELS.astype(float),
    "floats with NaN": np.where(LABELS, np.nan, 0.0),
    "negative": -LABELS,
    "complex": LABELS.astype(complex),
    "texts": LABELS.astype(str),
    "objects": LABELS.astype(object),
    "times": LABELS.astype("m8[s]"),
    "records": np.zeros((40, 50), [("a", "u1")]),
    "numbers beyond 64 bits": [[2**70, 1], [1, 2]],
    "a sparse matrix": csr_array(LABELS),
    "a tensor of bfloat16": HALF_FLOATS,
    "a block that raises": dask.array.from_array(LABELS, chunks=16).map_blocks(
        raising, dtype=np.int32
    ),
    "None": None,
    "the name of a file": "labels.tif",
    "rows of two lengths": [[1, 2], [3]],
    "another shape": LABELS[:20],
    "turned": LABELS.T,
    "no rows": LABELS[:0],
    "no axis": np.array(1),
    "one axis": LABELS[0],
    "two axes more": LABELS[None, None],
}
USES: dict[str, Callable[[nu.Model, Any], Any]] = {
    "measure": lambda model, labels: nu.measure(labels, BRIGHT),
    "evaluate": lambda model, labels: nu.evaluate(labels, LABELS),
    "evaluate with": lambda model, labels: nu.evaluate(LABELS, labels),
    "fine-tune": lambda model, labels: nu.fine_tune(model, BRIGHT, labels, diameter=20),
}


@pytest.mark.parametrize("labels", UNUSABLE_LABELS.values(), ids=UNUSABLE_LABELS)
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_what_are_no_labels_is_refused(model: nu.Model, use, labels: Any) -> None:
    weights = copy.deepcopy(model.network.state_dict())
    before = copy.deepcopy(labels)
    assert_one_sentence(lambda: use(model, labels), "; ")
    if isinstance(labels, np.ndarray | list):
        np.testing.assert_equal(labels, before)
    after = model.network.state_dict()
    assert all(torch.equal(weight, after[name]) for name, weight in weights.items())


def terabytes(*shape: int, dtype: Any = np.uint8) -> Any:
    """Return lazy labels; a block that was read would say so in other words than those of room."""
    return dask.array.zeros(shape, chunks=2**15, dtype=dtype).map_blocks(raising, dtype=dtype)


HUGE = terabytes(2**20, 2**20)
TOO_LARGE: dict[str, Callable[[nu.Model], Any]] = {
    "measured": lambda model: nu.measure(HUGE),
    "with an image": lambda model: nu.measure(HUGE, HUGE),
    "a measured volume": lambda model: nu.measure(terabytes(2**10, 2**15, 2**15)),
    "a channel of intensities": lambda model: nu.measure(HUGE, {"DAPI": HUGE}),
    "compared": lambda model: nu.evaluate(HUGE, HUGE),
    "compared part by part": lambda model: next(compare(HUGE, HUGE, depth=None)),
    "learned from": lambda model: nu.fine_tune(model, HUGE, HUGE, diameter=20),
    "after one that fits": lambda model: nu.fine_tune(
        model, [BRIGHT, HUGE], [LABELS, HUGE], diameter=20
    ),
    "known": lambda model: nu.fine_tune(model, HUGE, HUGE, HUGE, diameter=20),
    "as zarr": lambda model: nu.measure(
        zarr.create_array({}, shape=(2**20, 2**20), chunks=(2**15, 2**15), dtype="u1")
    ),
}


@pytest.mark.parametrize("use", TOO_LARGE.values(), ids=TOO_LARGE)
def test_labels_of_terabytes_are_refused_unread(model: nu.Model, use) -> None:
    assert_one_sentence(lambda: use(model), "Expected an array that there is memory for, got ")


def test_lazy_labels_that_differ_in_shape_are_refused_unread() -> None:
    assert_one_sentence(lambda: nu.evaluate(HUGE, LABELS), "labels of one shape")


def test_a_movie_larger_than_memory_is_measured_frame_by_frame() -> None:
    frame = np.zeros((2048, 2048), np.int32)
    frame[:40, :50] = LABELS
    movie = dask.array.broadcast_to(dask.array.from_array(frame), (2**16, *frame.shape))
    transform = np.column_stack([np.eye(3), np.zeros(3)])
    done = next(steps(Task(movie, "TYX", {"": movie}, transform, "px")))
    assert 0 <= done < 2**-15


ODD_LABELS: dict[str, Any] = {
    "8 bits": LABELS.astype(np.int8),
    "big-endian": LABELS.astype(">i4"),
    "beyond 32 bits": LABELS.astype(np.int64) * 2**32,
    "small and beyond 32 bits": np.where(LABELS > 1, 2**40, LABELS.astype(np.int64)),
    "beyond 63 bits": LABELS.astype(np.uint64) * np.uint64(2**62),
    "a list": LABELS.tolist(),
    "a tensor": torch.from_numpy(LABELS),
    "columns first": np.asfortranarray(LABELS),
}


@pytest.mark.parametrize("labels", ODD_LABELS.values(), ids=ODD_LABELS)
def test_labels_of_any_make_are_measured_and_compared(labels: Any) -> None:
    assert nu.measure(labels, BRIGHT)["area_px"].tolist() == [100, 144]
    assert nu.evaluate(labels, LABELS).mean_ap == 1


def test_a_label_of_two_pieces_is_one_nucleus() -> None:
    assert nu.measure(np.minimum(LABELS, 1))["area_px"].tolist() == [244]
    assert nu.evaluate(np.minimum(LABELS, 1), LABELS).n_predicted == 1


def test_labels_without_nuclei_are_measured_and_compared() -> None:
    assert len(nu.measure(LABELS * 0, BRIGHT)) == 0
    assert nu.evaluate(LABELS * 0, LABELS).ap50 == 0


@pytest.mark.parametrize("labels", [LABELS > 0, LABELS.astype(np.int64) * 2**32])
def test_labels_that_no_layer_holds_are_not_learned_from(model: nu.Model, labels) -> None:
    assert_one_sentence(lambda: nu.fine_tune(model, BRIGHT, labels, diameter=20), "Expected")


UNUSABLE_CHOICES: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"diameter {value}": ({"diameter": value}, "a positive diameter")
        for value in (0, -1, math.nan, math.inf, "large")
    },
    **{f"tile {value}": ({"tile": value}, "overlap < tile") for value in (0, -1, 144, math.nan)},
    **{f"channel {value}": ({"channel": value}, "no channel") for value in (-1, 0.5, 9)},
    **{f"link {value}": ({"link": value}, "one of auto, volume") for value in (None, "", "3d")},
    "quality": ({"quality": 3}, "one of fast, best"),
    "scale 0": ({"scale": (0, 1)}, "voxel sizes above 0"),
    "scale NaN": ({"scale": (1, math.nan)}, "voxel sizes above 0"),
    "scale inf": ({"scale": (1, math.inf)}, "voxel sizes above 0"),
    "scale of three axes": ({"scale": (1, 1, 1)}, "one voxel size for each"),
    "axes in another order": ({"axes": "XY"}, "Y before X"),
    "axes twice": ({"axes": "YXYX"}, "every axis once"),
    "axes of another number": ({"axes": "ZYX"}, "one axis letter for each of the 2"),
    "axes that are a number": ({"axes": 2}, "axes as text"),
    "device": ({"device": "abacus"}, "as the device, got 'abacus'"),
    "model that is not there": ({"model": "nonesuch"}, "unknown name 'nonesuch'"),
    "model None": ({"model": None}, "got NoneType"),
    "model as an array": ({"model": BRIGHT}, "got ndarray"),
    "model as a folder": ({"model": Path()}, "ends in .safetensors"),
    "model as a pickle": ({"model": Path("model.pkl")}, "can run code"),
    "model of torch": ({"model": Path("model.pt")}, "import-state"),
    "model of Keras": ({"model": Path("model.h5")}, "can run code"),
    "model in an archive": ({"model": Path("model.zip")}, "can run code"),
}


@pytest.mark.parametrize(("choices", "words"), UNUSABLE_CHOICES.values(), ids=UNUSABLE_CHOICES)
def test_choices_out_of_range_are_refused(model: nu.Model, choices, words: str) -> None:
    assert_one_sentence(lambda: nu.segment(BRIGHT, **({"model": model} | choices)), words)


@pytest.mark.parametrize("value", [math.nan, -1, "half", 1 + 1e-9])
@pytest.mark.parametrize("name", ["threshold", "seed_distance", "border", "neck"])
def test_thresholds_out_of_range_are_refused(name: str, value: Any) -> None:
    assert_one_sentence(lambda: nu.InstanceSettings(**{name: value}), f"{name} to be from 0 to 1")


@pytest.mark.parametrize("value", [math.nan, -1, "few"])
@pytest.mark.parametrize("name", ["min_seed", "min_size", "max_size"])
def test_sizes_out_of_range_are_refused(name: str, value: Any) -> None:
    assert_one_sentence(lambda: nu.InstanceSettings(**{name: value}), f"{name} to be 0 or more")


@pytest.mark.parametrize(
    "scale", [(0, 1), (1,), (math.nan, 1), (-1, 1), (math.inf, 1), "ab", 3], ids=str
)
def test_pixel_sizes_that_are_none_are_refused(scale: Any) -> None:
    assert_one_sentence(lambda: nu.measure(LABELS, scale=scale), "2 finite pixel sizes above 0")
