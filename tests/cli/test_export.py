"""``napari-unet export``."""

from __future__ import annotations

import zipfile

import pytest


def test_a_model_is_written_in_the_format_of_the_ending(run, model, tmp_path):
    output = tmp_path / "tiny.pt"
    result = run("export", model, "-o", output)
    assert (result.exit_code, result.stdout) == (0, f"{output}\n")
    assert zipfile.is_zipfile(output)


def test_a_package_holds_its_authors_and_licence(run, model, tmp_path):
    output = tmp_path / "tiny.zip"
    options = ("--format", "bioimageio", "--author", "Ada", "--author", "Max", "--license", "MIT")
    assert run("export", model, "-o", output, *options).exit_code == 0
    description = zipfile.ZipFile(output).read("rdf.yaml").decode()
    assert all(word in description for word in ('"Ada"', '"Max"', '"MIT"'))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("nuclei", "-o", "a.h5"), 2, "ends in .pt"),
        (("nuclei", "-o", "a.pt", "--format", "onnx"), 2, "ends in .onnx"),
        (("nuclei", "-o", "a.pt", "--license", "MIT"), 2, "leave them out"),
        (("none", "-o", "a.pt"), 2, "unknown name 'none'"),
        (("nuclei", "-o", "none/a.pt"), 1, "existing folder"),
    ],
)
def test_what_cannot_be_done_is_refused(run, assert_refused, arguments, status, words):
    assert_refused(run("export", *arguments), status, words)


def test_the_help_has_an_example(run):
    assert "Example: napari-unet export nuclei" in run("export", "--help").stdout
