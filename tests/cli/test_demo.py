"""``napari-unet demo``."""

from __future__ import annotations

import pytest

from napari_unet.images.synthetic import nuclei_field


@pytest.fixture(autouse=True)
def _small_sample(monkeypatch):
    """Draw a smaller sample than a user gets."""
    monkeypatch.setattr("napari_unet.demo.nuclei_field", lambda shape, n: nuclei_field((64, 64), 5))


def test_the_demo_prints_nuclei_and_times_and_opens_no_window(run, tmp_path, model, monkeypatch):
    monkeypatch.setattr("napari_unet.demo.has_display", lambda: True)
    monkeypatch.setattr("napari_unet.demo.open_window", lambda result: pytest.fail("a window"))
    result = run("demo", "-o", tmp_path / "d", "-m", model, "--no-window", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "nuclei found" in result.stdout
    assert "running the network" in result.stdout
    assert len(list((tmp_path / "d").iterdir())) == 3


def test_the_demo_opens_a_window_where_there_is_a_display(run, tmp_path, model, monkeypatch):
    opened = []
    monkeypatch.setattr("napari_unet.demo.open_window", opened.append)
    for display in (False, True):
        monkeypatch.setattr("napari_unet.demo.has_display", lambda seen=display: seen)
        assert run("demo", "-o", tmp_path, "-m", model, "--quiet").exit_code == 0
        assert len(opened) == display


def test_the_demo_without_napari_says_what_to_install(
    run, assert_refused, tmp_path, model, monkeypatch
):
    def missing(result: object) -> None:
        raise ImportError("No module named 'napari'")

    monkeypatch.setattr("napari_unet.demo.has_display", lambda: True)
    monkeypatch.setattr("napari_unet.demo.open_window", missing)
    result = run("demo", "-o", tmp_path, "-m", model, "--quiet")
    assert_refused(result, 0, "napari-unet-nuclei[gui]")
