"""Crops of what was corrected: cut out, stored, and found again."""

from typing import TYPE_CHECKING

from napari_unet.widgets.messages import LearnRequest, Painted
from napari_unet.widgets.running import one_sentence
from napari_unet.widgets.scribbles import nucleus_diameter

if TYPE_CHECKING:
    from napari_unet.learning.crops import Crop
    from napari_unet.learning.store import Store
    from napari_unet.network.model import Model

NOTHING = (
    "Nothing is corrected yet; in the layer controls, take the brush and a new label for a missed "
    "nucleus, the eraser for a false one, or both for a bad outline."
)


def corrected_crops(request: LearnRequest, painted: Painted, model: "Model") -> list["Crop"]:
    """Return the parts of the image in which something is corrected; none if nothing is.

    Raises
    ------
    ValueError
        If labels and image do not fit.
    """
    from napari_unet.learning.crops import correction_crops

    found = painted.find()
    if not found:
        return []
    return correction_crops(
        request.pixels,
        request.axes,
        found,
        diameter=nucleus_diameter(painted.diameter, model.card.diameter),
        normalisation=model.card.normalisation,
        channel=request.channel,
        source=request.source,
    )


def remembered(request: LearnRequest, crops: list["Crop"]) -> tuple[list["Crop"], str]:
    """Store crops, and return those of other results stored earlier, and what went wrong.

    What is undone since the last time is forgotten; other results' corrections stay.
    """
    if request.data is None:
        return [], ""
    from napari_unet.learning.store import Store

    problem = store(request, crops)
    earlier, unreadable = Store.of_line(request.data, request.line).read()
    others = [crop for crop in earlier if crop.source != request.source]
    return others, " ".join(filter(None, [problem, *unreadable[:1]]))


def store(request: LearnRequest, crops: list["Crop"]) -> str:
    """Store the crops of a result, and forget its others; return what went wrong."""
    if request.data is None:
        return ""
    from napari_unet.learning.store import Store

    folder = Store.of_line(request.data, request.line)
    try:
        folder.forget(request.source, folder.add(crops))
    except OSError as error:
        advice = "make room on the disk, or allow writing there"
        return one_sentence(error, "The corrections could not be stored", advice)
    return ""


def store_text(store: "Store") -> str:
    """Return how much a store holds, in words."""
    try:
        size = store.size()
    except OSError:
        return "cannot be read"
    nuclei = "1 nucleus" if size.n_nuclei == 1 else f"{size.n_nuclei} nuclei"
    return f"{nuclei}, {size.n_bytes / 1e6:.1f} MB" if size.n_crops else "no nuclei yet"
