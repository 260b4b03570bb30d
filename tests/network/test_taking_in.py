"""Packages of other programs that become models, and those that are refused."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from napari_unet import segment
from napari_unet.api import model_settings, predict
from napari_unet.images.synthetic import nuclei_field
from napari_unet.network import taking_in
from napari_unet.network.card import Card, card_to_json
from napari_unet.network.files import HEADER
from napari_unet.network.keeping import import_model, rename
from napari_unet.network.library import list_models, load_model, load_unet
from napari_unet.network.onnx_model import OnnxModel
from napari_unet.network.packaged import PackagedConfig, stepped
from napari_unet.network.provenance import published_of

RANGE = (
    ("scale_range", {"min_percentile": 2.0, "max_percentile": 99.0}),
    ("scale_linear", {"gain": 3.0, "offset": -0.5}),
    ("clip", {"min": -0.4, "max": 2.0}),
)
FIXED = (("scale_linear", {"gain": 0.002, "offset": -0.05}),)
VARIETY = [
    {"axes": "byxc", "output_axes": "bxyc", "steps": RANGE},
    {"axes": "xycb", "output_axes": "cbyx", "steps": FIXED, "halo": 8, "n_maps": 1},
]


def field(rows: int = 160, columns: int = 192):
    image, _ = nuclei_field((rows, columns), n=30, diameter=20.0, seed=3)
    return image.astype(np.float32)


@pytest.fixture
def zoo(no_network, tmp_path, monkeypatch):
    """The zoo's library, without a network, which warns of what it does itself."""
    monkeypatch.setenv("BIOIMAGEIO_CACHE_PATH", str(tmp_path / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import bioimageio.core

        yield bioimageio.core


def maps_of_the_zoo(zoo, path: Path, image, axes: str, output_axes: str, side: int):
    """Return the maps (c, y, x) that the zoo's library makes of a plane (y, x), in blocks.

    Of a whole plane with a halo it would take the statistics after it has mirrored its rim.
    """
    turned = image.T if axes.index("x") < axes.index("y") else image
    raw = np.expand_dims(turned, [axes.index("b"), axes.index("c")])
    block = {"pixels": {"batch": 1, "channel": 1, "y": side, "x": side}} if side else None
    model = zoo.load_model_description(path)
    sample = zoo.predict(model=model, inputs={"pixels": raw}, input_block_shape=block)
    (maps,) = sample.members.values()
    return maps.data.to_numpy().transpose([output_axes.index(axis) for axis in "bcyx"])[0]


@pytest.mark.parametrize("how", VARIETY)
def test_the_maps_are_those_of_the_zoos_own_library(zoo, other_package, how):
    path = other_package(**how)
    axes = [how.get(name, "bcyx") for name in ("axes", "output_axes")]
    image = field()
    expected = maps_of_the_zoo(zoo, path, image, *axes, side=96)
    model = load_model(import_model(path))
    # Bytes: a step of them is 1/255. The library adds 1e-6 to what it divides by.
    ours = predict(image, "YX", model=model, diameter=model.card.diameter) / 255
    assert ours.shape == expected.shape == (how.get("n_maps", 2), *image.shape)
    np.testing.assert_allclose(ours, expected, atol=0.51 / 255 + 1e-4)
    assert expected.std() > 0.1


def test_a_package_of_the_older_format_gives_the_maps_of_the_zoos_own_library(zoo, other_package):
    path = other_package(is_new=False, axes="bxyc", output_axes="bxyc", steps=RANGE)
    image = field()
    # The library mirrors nothing for this format, so that its rim is another one.
    expected = maps_of_the_zoo(zoo, path, image, "bxyc", "bxyc", side=0)[:, 16:-16, 16:-16]
    model = load_model(import_model(path))
    ours = predict(image, "YX", model=model, diameter=model.card.diameter) / 255
    np.testing.assert_allclose(ours[:, 16:-16, 16:-16], expected, atol=0.51 / 255 + 1e-4)


def test_a_network_of_one_size_sees_an_image_in_parts_without_their_halo(zoo, other_package):
    path = other_package(size=64, step=0, halo=8)
    image = field(48 * 3, 48 * 4)
    expected = maps_of_the_zoo(zoo, path, image, "bcyx", "bcyx", side=64)
    model = load_model(import_model(path))
    ours = predict(image, "YX", model=model, diameter=model.card.diameter) / 255
    np.testing.assert_allclose(ours, expected, atol=0.51 / 255 + 1e-4)
    odd = predict(image[:100, :77], "YX", model=model, diameter=model.card.diameter)
    assert odd.shape == (2, 100, 77)


def squares() -> np.ndarray:
    """An image with four squares, of which a dim bridge joins the last two."""
    image = np.zeros((120, 160), np.uint16)
    for y, x in ((10, 10), (10, 100), (70, 30), (70, 60)):
        image[y : y + 20, x : x + 20] = 1000
    image[70:90, 50:60] = 350
    return image


def test_segment_finds_the_nuclei_with_a_network_of_another_program(other_package):
    path = import_model(other_package(steps=RANGE), "bright")
    assert [file.name for file in list_models()][-1] == "bright"
    model = load_model("bright")
    assert model.card.instances.seeds == "border"
    assert 10 < model.card.diameter < 30
    found = segment(squares(), "YX", model="bright", diameter=model.card.diameter)
    assert found.max() == 4
    assert [found[place] for place in ((20, 20), (20, 110), (80, 40), (80, 70))] == [1, 2, 3, 4]
    assert found[[50, 20], [80, 60]].tolist() == [0, 0]
    stack = segment(np.stack([squares()] * 3), "ZYX", model=model, diameter=model.card.diameter)
    assert stack.max() == 4
    moved = rename("bright", "bright 2")
    assert moved.read_bytes() == model.save(path).read_bytes()


def test_the_card_says_how_pixels_go_in_and_who_made_the_network(other_package):
    model = load_model(import_model(other_package(axes="byxc", steps=RANGE, size=64, halo=8)))
    assert model.config == PackagedConfig(
        axes="byxc",
        least=(64, 64),
        halo=(8, 8),
        before=(("linear", 3.0, -0.5), ("clip", -0.4, 2.0)),
        after=(("sigmoid",),),
    )
    how = model.card.normalisation
    assert (how.by, how.low, how.high) == ("range", 2.0, 99.0)
    settings = model_settings(model)
    assert (settings.grid, settings.overlap) == (16, 144)
    assert published_of(model.card) == {
        "name": "Bright nuclei",
        "version": "0.1.0",
        "id": "",
        "licence": "CC-BY-4.0",
        "authors": ["Ada Byron"],
        "cite": ["Byron A, Bright nuclei, 2026 doi:10.1234/bright"],
    }


def test_a_folder_is_taken_in_and_a_second_time_refused(other_package, tmp_path, monkeypatch):
    with zipfile.ZipFile(other_package()) as package:
        package.extractall(tmp_path / "bright")
    monkeypatch.chdir(tmp_path / "bright")
    assert import_model(Path()).name == "bright.safetensors"
    with pytest.raises(ValueError, match="which is here already as 'bright'"):
        import_model(tmp_path / "other.zip")
    (tmp_path / "bright" / "in.npy").unlink()
    (tmp_path / "bright" / "in.npy").symlink_to(tmp_path / "other.zip")
    with pytest.raises(ValueError, match=r"it holds no file 'in\.npy'"):
        import_model(tmp_path / "bright", "again")


def test_a_given_diameter_counts_and_is_needed_where_the_test_image_is_empty(other_package):
    path = other_package(steps=(("scale_linear", {"gain": 0.0, "offset": 0.0}),))
    with pytest.raises(ValueError, match=r"no nuclei in its test image.*--diameter"):
        import_model(path)
    assert load_model(import_model(path, diameter=31.0)).card.diameter == 31.0
    for diameter in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"Expected a positive diameter, got {diameter}"):
            import_model(path, diameter=diameter)


def test_a_sha256_counts_in_letters_of_either_case(other_package):
    with zipfile.ZipFile(other_package()) as package:
        stated = hashlib.sha256(package.read("weights.onnx")).hexdigest().upper()
    spoil = weights(onnx={"source": "weights.onnx", "sha256": stated})
    assert import_model(other_package(spoil=spoil)).is_file()


def weights(**kinds):
    return lambda facts: facts.update(weights=kinds)


def change(**others):
    def spoil(facts):
        facts["inputs"][0].update(others)

    return spoil


def sides(size):
    return lambda facts: facts["inputs"][0]["axes"][2].update(size=size)


def names(*channels):
    return lambda facts: facts["outputs"][0]["axes"][1].update(channel_names=channels)


def of_output(side):
    return lambda facts: facts["outputs"][0]["axes"][2].update(size=side)


def with_step(kind, **how):
    return change(preprocessing=[{"id": kind, "kwargs": how}])


REFUSED = [
    (weights(pytorch_state_dict={"source": "w.pt"}), "'architecture' is missing"),
    (weights(torchscript={"source": "w.pt"}), "torchscript, which are code"),
    (weights(keras_hdf5={"source": "w.h5"}), "kind onnx or pytorch_state_dict, but keras_hdf5"),
    (weights(onnx={"source": "https://a.org/w.onnx"}), "is elsewhere; fetch the whole package"),
    (weights(onnx={"source": "../w.onnx"}), r"holds 0 files \.\./w\.onnx"),
    (weights(onnx={"source": "weights.onnx", "sha256": "00"}), "has another SHA-256"),
    (weights(onnx={"source": "a\nb"}), "a file has a name that cannot be shown"),
    (weights(onnx={"source": ["w.onnx"]}), "a file has no name, or another SHA-256"),
    (lambda facts: facts.update(weights=[[]]), "is damaged: a list or the like is in place of"),
    (lambda facts: facts.update(version=["1"]), "is damaged: a list or the like is in place of"),
    (lambda facts: facts.update(id={}, format_version={}), "a list or the like is in place of"),
    (sides([]), "is damaged: a size is no whole number"),
    (sides({"min": 64, "step": [16]}), "is damaged: a size is no whole number"),
    (weights(onnx={"source": "README.md"}), "its network of ONNX cannot be used"),
    (lambda facts: facts.update(inputs=facts["inputs"] * 2), "not one input and one output"),
    (lambda facts: facts.update(format_version="0.3.6"), "in the format 0.4 or 0.5"),
    (lambda facts: facts.pop("outputs"), "'outputs' is missing"),
    (change(preprocessing=[{"id": "custom"}]), "its step 'custom' is not known here"),
    (change(preprocessing=[]), "makes maps that differ by"),
    (with_step("zero_mean_unit_variance", axes=["x"]), "normalises rows or channels by themselves"),
    (
        with_step("scale_range", axes=["channel", "y", "x"], reference_tensor="maps"),
        "normalises by another tensor",
    ),
    (with_step("scale_linear", gain=[1, 2]), "it treats channels differently"),
    (
        of_output({"tensor_id": "pixels", "axis_id": "y", "offset": 2}),
        "its maps have another size than the image",
    ),
    (of_output(64), "its maps have another size than the image"),
    (change(test_tensor={"source": "README.md"}), "is no array of NumPy"),
    (change(test_tensor={"source": "out.npy"}), r"its test image has the shape \(2, "),
    (
        lambda facts: facts["inputs"][0]["axes"].append({"type": "space", "id": "z", "size": 1}),
        "its axes are 'bcyxz' instead",
    ),
    (names("background", "cell"), r"it gives 2 channels \(background, cell\)"),
    (names("cells", "distance"), r"it gives 2 channels \(cells, distance\)"),
    (names("boundary", "flow_y"), r"it gives 2 channels \(boundary, flow_y\)"),
    (names("boundary", "membrane"), r"it gives 2 channels \(boundary, membrane\)"),
    (names("foo", "bar"), r"it gives 2 channels \(foo, bar\)"),
    (names("membrane"), r"it gives 1 channels \(membrane\)"),
    (names("affinities"), r"it gives 1 channels \(affinities\)"),
]


@pytest.mark.parametrize(("spoil", "words"), REFUSED)
def test_what_cannot_be_used_is_refused_in_a_sentence(other_package, spoil, words):
    with pytest.raises(ValueError, match=rf"Expected a package .*'other\.zip' .*{words}"):
        import_model(other_package(spoil=spoil))
    assert all(file.built_in for file in list_models())


def old_output(**others):
    return lambda facts: facts["outputs"][0]["shape"].update(others)


def old_input(shape):
    return lambda facts: facts["inputs"][0].update(shape=shape)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (old_output(scale=[1, 0, 2, 2]), "its maps have another size than the image"),
        (old_output(offset=[0, 1, -8, 0]), "its maps have another size than the image"),
        (old_input([2, 1, 112, 128]), "it takes several images at once"),
        (old_input({"min": [1, 1, 96, 96], "step": [2, 0, 16, 16]}), "several images at once"),
        (old_input([1, 1, 96.5, 96]), "is damaged: a size is no whole number"),
    ],
)
def test_a_package_of_the_older_format_that_cannot_be_used_is_refused(other_package, spoil, words):
    with pytest.raises(ValueError, match=rf"Expected a package .*'other\.zip' .*{words}"):
        import_model(other_package(spoil=spoil, is_new=False))


def test_background_and_foreground_without_names_are_not_taken_for_nucleus_and_border(
    other_package,
):
    path = other_package(is_new=False, is_softmax=True)
    with pytest.raises(ValueError, match=r"'other\.zip' \(its two channels add up to 1: they are"):
        import_model(path)


def as_npy(header: bytes, content: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def refused_with(path: Path, name: str, content: bytes) -> str:
    """Why a package is refused, of which one file is another."""
    with zipfile.ZipFile(path) as package:
        parts = {part: package.read(part) for part in package.namelist()} | {name: content}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for part, held in parts.items():
            package.writestr(part, held)
    with pytest.raises(
        ValueError, match=r"^Expected a package with .* choose another one\.$"
    ) as told:
        import_model(path)
    return str(told.value)


def test_test_images_that_are_large_or_no_arrays_are_refused_by_their_header(
    other_package, monkeypatch
):
    path = other_package()
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1, 2049)}\n"
    large = as_npy(header, bytes(2049))
    assert "of at most 2048 x 2048 pixels" in refused_with(path, "in.npy", large)
    for header in (b"(", b"{1: [}", b"{'descr': {}, 'fortran_order': 0, 'shape': ()}", b"(" * 9999):
        assert "is no array of NumPy" in refused_with(path, "in.npy", as_npy(header))
    monkeypatch.setattr(taking_in, "LARGEST_ARRAY", 1000)
    assert "has more than 1000 bytes" in refused_with(path, "in.npy", bytes(1001))


def test_a_description_that_names_lists_again_and_again_is_refused(other_package):
    lists = ["a0: &a0 [laugh]"]
    lists += [f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]" for i in range(9)]
    bomb = "\n".join([*lists, "type: model", "format_version: *a9"])
    assert "more than 10 aliases" in refused_with(other_package(), "rdf.yaml", bomb.encode())
    few = "type: model\nformat_version: 0.5.4\nname: &name a\ninputs: [*name]\noutputs: [1]"
    assert "its description is damaged" in refused_with(other_package(), "rdf.yaml", few.encode())


def test_yaml_that_asks_for_code_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as package:
        package.writestr("rdf.yaml", "type: !!python/object/apply:os.getcwd []")
    with pytest.raises(ValueError, match="its description is not YAML"):
        import_model(tmp_path / "bad.zip")


def test_weights_in_another_file_are_refused(other_package):
    with zipfile.ZipFile(other_package()) as package:
        network = onnx.ModelProto.FromString(package.read("weights.onnx"))
    elsewhere = network.graph.initializer[0]
    elsewhere.ClearField("raw_data")
    elsewhere.data_location = onnx.TensorProto.EXTERNAL
    elsewhere.external_data.add(key="location", value="/etc/passwd")
    model = load_model(import_model(other_package()))
    with pytest.raises(ValueError, match="its weights are in another file"):
        OnnxModel(network.SerializeToString(), model.card)


def test_a_network_that_gives_what_is_not_a_number_is_told(other_package):
    model = load_model(import_model(other_package(after=(), halo=0)))
    pixels = np.full((3, 96, 96), 3e38, np.float32)
    with pytest.raises(ValueError, match=r"'other'.*none \(it gives numbers that are not finite\)"):
        model.predict(pixels)
    steps = (("linear", 3e38, 0.0), ("linear", 10.0, 0.0))
    model.card = replace(model.card, config=replace(model.config, after=steps))
    with pytest.raises(ValueError, match="it gives numbers that are not finite"):
        model.predict(np.full((3, 96, 96), 1.0, np.float32))


def network(*nodes, numbers=None, outputs=("maps",)) -> bytes:
    """A network of ONNX that takes float32 `pixels` and gives float32 of any shape."""
    float32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "test",
        [onnx.helper.make_tensor_value_info("pixels", float32, ["b", "c", "y", "x"])],
        [onnx.helper.make_tensor_value_info(name, float32, None) for name in outputs],
        [onnx.numpy_helper.from_array(n, name) for name, n in (numbers or {}).items()],
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()


def card(**config) -> Card:
    return Card("toy", PackagedConfig(maps=("nucleus",), channels=(0,), **config), 20.0)


def loop() -> onnx.NodeProto:
    """A node that runs for longer than the sun shines."""
    make, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    body = onnx.helper.make_graph(
        [make("Identity", ["on"], ["still"]), make("Neg", ["state"], ["next"])],
        "body",
        [
            value("i", onnx.TensorProto.INT64, []),
            value("on", onnx.TensorProto.BOOL, []),
            value("state", onnx.TensorProto.FLOAT, None),
        ],
        [value("still", onnx.TensorProto.BOOL, []), value("next", onnx.TensorProto.FLOAT, None)],
    )
    return make("Loop", ["often", "", "pixels"], ["maps"], body=body)


def branch(node: onnx.NodeProto) -> onnx.NodeProto:
    """A node that runs another one, or not."""
    float32 = onnx.helper.make_tensor_value_info("maps", onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph([node], "branch", [], [float32])
    return onnx.helper.make_node("If", ["yes"], ["maps"], then_branch=graph, else_branch=graph)


def test_a_network_with_loops_is_refused_and_one_with_branches_runs():
    often = {"often": np.array(2**62), "yes": np.array(True)}
    for node in (loop(), branch(loop())):
        with pytest.raises(ValueError, match="it has loops, of which nobody knows when they end"):
            OnnxModel(network(node, numbers=often), card())
    half = branch(onnx.helper.make_node("Mul", ["pixels", "half"], ["maps"]))
    numbers = {"half": np.array(0.5, np.float32), "yes": np.array(True)}
    model = OnnxModel(network(half, numbers=numbers), card())
    assert model.predict(np.ones((3, 64, 64), np.float32)).tolist() == [[[0.5] * 64] * 64]


def test_a_network_with_functions_of_its_own_is_refused():
    node = onnx.helper.make_node("Twice", ["pixels"], ["maps"], domain="own")
    model = onnx.ModelProto.FromString(network(node))
    twice = onnx.helper.make_node("Add", ["a", "a"], ["b"])
    opset = onnx.helper.make_opsetid("", 18)
    model.functions.append(
        onnx.helper.make_function("own", "Twice", ["a"], ["b"], [twice], [opset])
    )
    model.opset_import.append(onnx.helper.make_opsetid("own", 1))
    with pytest.raises(ValueError, match="it has functions of its own"):
        OnnxModel(model.SerializeToString(), card())


def test_a_network_that_takes_too_long_is_stopped():
    names = ["pixels", *map(str, range(200)), "maps"]
    products = [
        onnx.helper.make_node("MatMul", [name, name], [following])
        for name, following in pairwise(names)
    ]
    model = OnnxModel(network(*products), card())
    with pytest.raises(ValueError, match=r"'toy'.*\(it takes longer than 0\.01 seconds\)"):
        model.run(np.zeros((1, 1024, 1024), np.float32), seconds=0.01)


def test_a_network_without_outputs_is_refused():
    node = onnx.helper.make_node("Neg", ["pixels"], ["maps"])
    with pytest.raises(ValueError, match=r"cannot be used|not one of one float32 input and output"):
        OnnxModel(network(node, outputs=()), card())


def test_a_network_for_which_there_is_not_enough_memory_says_so():
    shape = {"shape": np.array([2**45, 1, 64, 64])}
    model = OnnxModel(
        network(onnx.helper.make_node("Expand", ["pixels", "shape"], ["maps"]), numbers=shape),
        card(),
    )
    with pytest.raises(MemoryError, match="Expand node"):
        model.predict(np.zeros((3, 64, 64), np.float32))


def test_a_missing_library_is_told_with_how_to_install_it(other_package, monkeypatch):
    path = other_package()
    monkeypatch.setattr("napari_unet.network.exchange.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"onnxruntime to be installed.*\[zoo\]"):
        import_model(path)


def test_such_a_network_cannot_learn_nor_run_elsewhere(other_package):
    model = load_model(import_model(other_package()))
    with pytest.raises(ValueError, match="'other', one of another program, which can segment but"):
        load_unet(model)
    with pytest.raises(
        ValueError, match=r"Expected auto or cpu .*'other'.*got cuda.*choose auto or cpu"
    ):
        load_model(model, "cuda")


def test_a_file_with_other_weights_than_its_card_says_is_refused(other_package, tmp_path):
    path = import_model(other_package())
    header = {HEADER: card_to_json(load_model(path).card)}
    save_file({"onnx": np.zeros(3)}, tmp_path / "a.safetensors", header)
    with pytest.raises(ValueError, match=r"'a\.safetensors'|its weights do not fit"):
        import_model(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"axes": "byx", "in_channels": 3}, "no place for 3 channels"),
        ({"least": (0, 64)}, "whole numbers from 1 to 4096 pixels"),
        ({"least": (64, 64), "step": (0, 0), "halo": (32, 0)}, "halo of 32 leaves nothing"),
        ({"halo": (0, 285)}, "halo is 285 instead of at most 284 pixels"),
        ({"step": (1024, 768)}, "grow by 3072 pixels instead of at most 1280"),
        ({"before": (("linear", 1.0),)}, "has the step 'linear'"),
        ({"before": (("linear", None, 1.0),)}, "has the step 'linear'"),
        ({"after": (("binarize", None),)}, "has the step 'binarize'"),
        ({"after": (("clip", None, None),)}, "has the step 'clip'"),
        ({"after": (("linear", 1.0, float("inf")),)}, "has the step 'linear'"),
        ({"channels": (0, 2)}, "channels to those of"),
    ],
)
def test_what_no_network_takes_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        PackagedConfig(**settings)


def test_each_step_is_done_with_each_pixel():
    pixels = np.array([[-1.0, 0.0, 2.0]], np.float32)
    assert stepped(pixels, (("binarize", 0.5),)).tolist() == [[0, 0, 1]]
    found = stepped(pixels, (("sigmoid",), ("clip", 0.3, None)))
    np.testing.assert_allclose(found, [[0.3, 0.5, 0.8808]], atol=1e-4)
