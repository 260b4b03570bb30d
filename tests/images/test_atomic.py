"""Files that are either wholly written or not touched."""

from __future__ import annotations

import pytest

from napari_unet.images.atomic import move_to_new, overwriting


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "result.tif"
    with overwriting(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".tif"
        assert temporary.name.startswith(".")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")

    def fail_half_way():
        with overwriting(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="make the folder first"),
        overwriting(tmp_path / "none" / "a.txt"),
    ):
        pass


def test_a_folder_without_write_permission_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(PermissionError, match="can be written"), overwriting(tmp_path / "a.txt"):
        pass


def test_a_file_that_only_its_owner_may_read_gets_the_usual_permissions(tmp_path):
    (tmp_path / "usual.txt").touch()
    with overwriting(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        temporary.chmod(0o400 | 0o200)
    usual = (tmp_path / "usual.txt").stat().st_mode
    assert (tmp_path / "a.txt").stat().st_mode == usual


def no_second_names(*_):
    raise OSError("not supported")


def test_a_file_moves_to_a_new_name_alone(tmp_path, monkeypatch):
    for name in ("mine", "theirs"):
        (tmp_path / name).write_text(name)
    with pytest.raises(FileExistsError, match="another program has written meanwhile"):
        move_to_new(tmp_path / "mine", tmp_path / "theirs")
    assert move_to_new(tmp_path / "mine", tmp_path / "new").read_text() == "mine"
    monkeypatch.setattr("os.link", no_second_names)
    with pytest.raises(FileExistsError, match="choose another name"):
        move_to_new(tmp_path / "new", tmp_path / "theirs")
    assert move_to_new(tmp_path / "new", tmp_path / "newer").read_text() == "mine"
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "newer": "mine",
        "theirs": "theirs",
    }


@pytest.mark.parametrize(
    ("error", "filename"),
    [
        (OSError(28, "full"), "a.txt"),
        (RuntimeError("I/O error: full (os error 28)"), "a.txt"),
        (OSError(28, "full", "of another"), "of another"),
    ],
)
def test_an_error_of_the_system_names_the_file(tmp_path, error, filename):
    with pytest.raises(OSError, match=filename) as caught, overwriting(tmp_path / "a.txt"):
        raise error
    assert caught.value.errno == 28
    assert not any(tmp_path.iterdir())
