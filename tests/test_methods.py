from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest

from napari_unet.methods import methods_text
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.programs import (
    A_PART,
    NO_FILE,
    OTHER_THRESHOLDS,
    command_line,
    python_script,
    why_no_command,
)
from napari_unet.segmentation import SegmentSettings


def facts(*, axes: str = "YX", **others: Any) -> dict[str, Any]:
    settings = asdict(SegmentSettings(diameter=22.625, **others.pop("settings", {})))
    shape = [{"Z": 4, "T": 3, "C": 2, "Y": 40, "X": 50, "S": 3}[axis] for axis in axes]
    return {
        "image": "my cells",
        "axes": axes,
        "shape": shape,
        "dtype": "uint8",
        "region": [(None, None)] * len(axes),
        "date": "2026-11-25T03:41:25+00:00",
        "versions": {"napari-unet-nuclei": "0.1.0", "torch": "2.13.0", "numpy": "2.4.6"},
        "device": "CPU bf16",
        "device_choice": "auto",
        "precision_choice": "bfloat16",
        "model": "nuclei",
        "model_sha256": "ab" * 32,
        "from_built_in": True,
        "network": "unet",
        "parent": "",
        "n_learned": None,
        "settings": settings,
        "instances_of_model": asdict(InstanceSettings()),
        "diameter_is_given": False,
        **others,
    }


def test_the_text_for_a_paper_names_model_settings_versions_and_literature() -> None:
    text = methods_text(facts())
    assert text.startswith("Nuclei in 'my cells' (axes YX) were segmented with napari-unet-nuclei")
    for words in (
        f"model 'nuclei' (SHA-256 {'ab' * 32}), a U-Net (Ronneberger et al., 2015), trained on",
        "2018 Data Science Bowl (Caicedo et al., 2019).",
        "from their percentiles 1 and 99.8 of each plane to 0 and 1.",
        "was estimated as 22.6 px; the model is made for 22.0 px.",
        "in tiles of 1280 px that overlap by 144 px.",
        "threshold 0.5, seeds both, seed distance 0.5",
        "on 2026-11-25 on CPU bf16 with PyTorch 2.13.0 (Paszke et al., 2019), NumPy 2.4.6.",
        "doi:10.1007/978-3-319-24574-4_28",
        "doi:10.1038/s41592-019-0612-7",
        "doi:10.7717/peerj.453",
        "arXiv:1912.01703",
        "doi:10.5281/zenodo.3555620",
    ):
        assert words in text
    assert "by hand" not in text
    assert "stacks" not in text


def test_the_text_says_how_many_nuclei_were_corrected_by_hand() -> None:
    assert "Afterwards, 1 nucleus was corrected by hand." in methods_text(facts(), 1)
    assert "Afterwards, 12 nuclei were corrected by hand." in methods_text(facts(), 12)


def test_a_model_of_ones_own_is_not_said_to_have_learned_from_the_data_science_bowl() -> None:
    text = methods_text(facts(from_built_in=False, network="nested"))
    assert "a U-Net variant (nested) (Ronneberger et al., 2015)." in text
    assert "Caicedo" not in text


def test_a_fine_tuned_model_names_its_parent_and_what_it_learned_from() -> None:
    text = methods_text(facts(model="plate 7", parent="nuclei", n_learned=7))
    assert "fine-tuned from the model 'nuclei' on 7 corrected nuclei." in text
    assert "2018 Data Science Bowl (Caicedo et al., 2019) and fine-tuned" in text


def test_the_text_says_that_a_stack_was_seen_from_its_sides() -> None:
    words = "averaged with those of the stack seen from two sides"
    assert words in methods_text(facts(axes="ZYX", settings={"views": "three"}))
    assert words not in methods_text(facts(axes="ZYX"))
    assert words not in methods_text(facts(axes="YX", settings={"views": "three"}))


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("auto", "In stacks, nuclei were found in 3-D, with planes 4 px apart."),
        ("none", "In stacks, nuclei were found in each plane for itself, with planes 4 px apart."),
    ],
)
def test_the_text_says_how_planes_became_nuclei(link: str, words: str) -> None:
    text = methods_text(facts(axes="TZYX", settings={"link": link, "anisotropy": 4.0}))
    assert words in text
    assert ("Over time" in text) == (link != "none")


def test_the_text_says_that_the_distance_of_planes_was_estimated() -> None:
    made = facts(axes="ZYX", settings={"anisotropy": 2.3456})
    assert "with planes 2.35 px apart." in methods_text(made)
    text = methods_text(made | {"anisotropy_is_given": False})
    assert "with planes 2.35 px apart, as estimated by the shape of nuclei." in text


def test_the_text_names_the_part_that_was_segmented_and_what_lies_around_it() -> None:
    part = facts(region=[(0, 18), (None, None)])
    assert "Of the image, [0:18, :] of (40, 50) was segmented." in methods_text(part)
    assert "those of earlier runs" not in methods_text(part)
    assert "those of earlier runs" in methods_text(part | {"has_earlier_labels": True})


def test_best_quality_and_intensities_of_their_type_are_told() -> None:
    normalisation = {"low": 1.0, "high": 99.8, "per": "type", "ceiling": 4.0}
    settings = asdict(SegmentSettings(diameter=20.0, quality="best"))
    text = methods_text(facts() | {"settings": settings | {"normalisation": normalisation}})
    assert "Intensities were scaled by the range of their type." in text
    assert "as the mean over eight flips and turns." in text


def test_the_command_names_every_choice_and_quotes_for_the_shell() -> None:
    made = facts(axes="ZCYX", settings={"channel": 1, "anisotropy": 2.5})
    text = command_line(made, model="nuclei", file="/data/my cells/a'b.tif", windows=False)
    assert text == (
        "napari-unet segment '/data/my cells/a'\"'\"'b.tif' --model nuclei --axes ZCYX --channel 1 "
        "--link auto --quality fast --views planes --anisotropy 2.5 --tile 1280 --device auto "
        "--precision bfloat16"
    )
    text = command_line(made, model="nuclei", file=r"C:\my cells\a.tif", windows=True)
    assert text.startswith(r'napari-unet segment "C:\my cells\a.tif" --model nuclei ')


def test_a_diameter_is_given_only_if_the_user_gave_it() -> None:
    estimated, given = facts(), facts(diameter_is_given=True)
    assert "--diameter" not in command_line(estimated, model="nuclei", file="a.tif")
    assert "--diameter 22.625" in command_line(given, model="nuclei", file="a.tif")
    assert "diameter=None,  # estimated: 22.6 px" in python_script(estimated, model="nuclei")
    assert "diameter=22.625,\n" in python_script(given, model="nuclei")


def test_a_command_is_refused_where_it_would_make_other_labels() -> None:
    assert why_no_command(facts(), "a.tif") == ""
    assert why_no_command(facts(), None) == NO_FILE
    assert why_no_command(facts(region=[(0, 18), (None, None)]), "a.tif") == A_PART
    assert why_no_command(facts(region=[(0, 90), (0, 50)]), "a.tif") == ""
    own = asdict(InstanceSettings(threshold=0.7))
    assert why_no_command(facts(instances_of_model=own), "a.tif") == OTHER_THRESHOLDS


def test_a_script_without_a_file_says_which_array_to_load() -> None:
    script = python_script(facts(image="it's\n1/0"), model="nuclei")
    compile(script, "script", "exec")
    assert (
        '# Load the array of the image layer "it\'s\\n1/0" here: shape (40, 50), type uint8.'
        in (script)
    )
    assert "image = np.load('image.npy')" in script


def test_a_script_of_a_result_that_was_corrected_says_what_it_does_not_make() -> None:
    script = python_script(facts(), model="nuclei", n_corrected=2)
    assert "# Afterwards, 2 nuclei were corrected by hand. They are not in these labels." in script
    assert "by hand" not in python_script(facts(), model="nuclei")


def test_a_fact_that_is_missing_is_an_error() -> None:
    old = facts()
    del old["versions"]
    with pytest.raises(KeyError, match="versions"):
        methods_text(old)


def test_the_modules_need_no_numpy() -> None:
    code = "import sys, napari_unet.programs; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
