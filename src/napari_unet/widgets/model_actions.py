"""What the dock Models does with files, in a worker thread; it touches no layer and no widget."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from napari_unet.network import keeping
from napari_unet.network.history import Version, list_versions
from napari_unet.network.library import models_folder
from napari_unet.widgets.running import one_sentence


@dataclass(frozen=True)
class Done:
    """What an action came to.

    Parameters
    ----------
    text : str
        For the user; empty if there is nothing to say.
    selected : str
        Name of the model that is to be selected now; empty to select what was.
    renamed : dict of str to str
        Old and new name of a model.
    deleted : Path, optional
        File in the trash of the model that was deleted.
    has_changed : bool
        Whether models came, went or were renamed.
    """

    text: str = ""
    selected: str = ""
    renamed: dict[str, str] = field(default_factory=dict)
    deleted: Path | None = None
    has_changed: bool = True


@dataclass(frozen=True)
class Outcome:
    """The models as they are after an action; ``failed`` says in one sentence what went wrong.

    They are None where they could not be listed.
    """

    versions: list[Version] | None
    done: Done
    failed: str = ""


Action = Callable[[], Done]


def carry_out(action: Action) -> Outcome:
    """Do something, and list the models as they are then; errors become a sentence."""
    # An error must not leave a worker: napari takes some for those of a deleted window.
    try:
        done, failed = action(), ""
    except Exception as error:
        advice = "check that its folder can be written and the disk has room"
        done = Done(has_changed=False)
        failed = one_sentence(error, "That could not be done", advice)
    try:
        return Outcome(list_versions(), done, failed)
    except Exception as error:
        advice = f"check the folder {str(models_folder())!r}"
        unlisted = one_sentence(error, "The models could not be listed", advice)
        return Outcome(None, done, " ".join(filter(None, (failed, unlisted))))


def look() -> Done:
    """Do nothing but list the models."""
    return Done(has_changed=False)


def rename(old: str, new: str) -> Done:
    """Give a model another name."""
    name = keeping.rename(old, new).stem
    return Done(f"{old!r} is now {name!r}.", name, {old: name}, has_changed=old != name)


def delete(name: str) -> Done:
    """Move a model into the trash."""
    return Done(f"{name!r} is in the trash.", deleted=keeping.delete(name))


def restore(trashed: Path) -> Done:
    """Bring a deleted model back."""
    name = keeping.restore(trashed).stem
    return Done(f"{name!r} is back.", name)


def export(name: str, path: Path, *, overwrite: bool) -> Done:
    """Copy a model to a file."""
    copy = keeping.export(name, path, overwrite=overwrite)
    return Done(f"{name!r} is copied to {copy.name}.", has_changed=False)


def import_model(path: Path) -> Done:
    """Take a model in from a file."""
    name = keeping.import_model(path).stem
    return Done(f"{path.name} is in the list as {name!r}.", name)
