"""How a result was made, in words for a paper.

Everything is said from the facts that a result carries; nothing is loaded or looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]

PLUGIN = "napari-unet-nuclei"
WRITTEN = {
    "torch": "PyTorch {} (Paszke et al., 2019)",
    "numpy": "NumPy {}",
    "scikit-image": "scikit-image {} (van der Walt et al., 2014)",
    "napari": "napari {} (Sofroniew et al.)",
}
UNET = (
    "Ronneberger O, Fischer P, Brox T (2015). U-Net: convolutional networks for biomedical image "
    "segmentation. MICCAI 2015, LNCS 9351, 234-241. doi:10.1007/978-3-319-24574-4_28"
)
BOWL = (
    "Caicedo JC et al. (2019). Nucleus segmentation across imaging experiments: the 2018 Data "
    "Science Bowl. Nature Methods 16, 1247-1253. doi:10.1038/s41592-019-0612-7"
)
LIBRARIES = (
    "van der Walt S et al. (2014). scikit-image: image processing in Python. PeerJ 2, e453. "
    "doi:10.7717/peerj.453",
    "Paszke A et al. (2019). PyTorch: an imperative style, high-performance deep learning "
    "library. NeurIPS 32, 8024-8035. arXiv:1912.01703",
    "Sofroniew N et al. napari: a multi-dimensional image viewer for Python. Zenodo. "
    "doi:10.5281/zenodo.3555620",
)
LINKED = {
    "auto": "in 3-D",
    "volume": "in 3-D",
    "overlap": "plane by plane and linked by their overlap",
    "none": "in each plane for itself",
}


def methods_text(facts: Facts, n_corrected: int = 0) -> str:
    """Return a paragraph for the methods of a paper, with its references.

    Parameters
    ----------
    facts : mapping
        What a result says of the run that made it.
    n_corrected : int
        Nuclei that were added, removed or reshaped by hand since.

    Raises
    ------
    KeyError
        If a fact is missing.
    """
    sentences = [_what(facts), _region(facts), _pixels(facts), _network(facts), _labels(facts)]
    sentences += [_linking(facts), _where(facts), by_hand(n_corrected)]
    references = [*_networks(facts), *LIBRARIES]
    return "\n".join([" ".join(filter(None, sentences)), "", "References", *references, ""])


def _networks(facts: Facts) -> list[str]:
    """Return what is to be cited for the network."""
    if published := facts.get("published"):
        return list(published["cite"])
    return [UNET, *([BOWL] if facts["from_built_in"] else [])]


def _what(facts: Facts) -> str:
    channel = facts["settings"]["channel"]
    of = f"axes {facts['axes']}" + ("" if channel is None else f", channel {channel}")
    return (
        f"Nuclei in {facts['image']!r} ({of}) were segmented with {PLUGIN} "
        f"{facts['versions'][PLUGIN]} and its model {facts['model']!r} (SHA-256 "
        f"{facts['model_sha256']}), {_kind(facts)}{_training(facts)}."
    )


def _kind(facts: Facts) -> str:
    """Return what kind of network it is, and who made one of another program."""
    if published := facts.get("published"):
        made = [published[name] for name in ("version", "id") if published[name]]
        by = f", by {', '.join(published['authors'])}" if published["authors"] else ""
        return f"the network of the package {' '.join([repr(published['name']), *made])}{by}"
    network = "a U-Net" if facts["network"] == "unet" else f"a U-Net variant ({facts['network']})"
    return f"{network} (Ronneberger et al., 2015)"


def _training(facts: Facts) -> str:
    """Return what the model learned from, as far as that is known."""
    parts = []
    if facts["from_built_in"]:
        parts.append("trained on images of the 2018 Data Science Bowl (Caicedo et al., 2019)")
    if facts["parent"]:
        n = facts["n_learned"]
        on = "" if n is None else f" on {n} corrected {'nucleus' if n == 1 else 'nuclei'}"
        parts.append(f"fine-tuned from the model {facts['parent']!r}{on}")
    return f", {' and '.join(parts)}" if parts else ""


def _region(facts: Facts) -> str:
    if not is_part(facts):
        return ""
    text = f"Of the image, [{slices(facts['region'])}] of {tuple(facts['shape'])} was segmented."
    return " ".join(filter(None, (text, mixed(facts))))


def _pixels(facts: Facts) -> str:
    settings = facts["settings"]
    how = "given" if facts["diameter_is_given"] else "estimated"
    return (
        f"Intensities were {_scaled(settings['normalisation'])}. The diameter of a typical "
        f"nucleus was {how} as {settings['diameter']:.1f} px; the model is made for "
        f"{settings['model_diameter']:.1f} px."
    )


def _scaled(normalisation: Mapping[str, Any]) -> str:
    low, high, per = (normalisation[name] for name in ("low", "high", "per"))
    # Results of before there were several ways say nothing of it.
    by = normalisation.get("by")
    if by == "nothing":
        return "given to the network as they are"
    if by == "moments":
        return f"scaled to a mean of 0 and a standard deviation of 1 in each {per}"
    # "type" takes the range of the intensities' type, and no percentiles.
    return "scaled " + (
        "by the range of their type" if per == "type"
        else f"from their percentiles {low:g} and {high:g} of each {per} to 0 and 1"
    )  # fmt: skip


def _network(facts: Facts) -> str:
    settings = facts["settings"]
    turned = ", as the mean over eight flips and turns" if settings["quality"] == "best" else ""
    if "Z" in facts["axes"] and settings["views"] == "three":
        turned += ", averaged with those of the stack seen from two sides where it is deep enough"
    others = "" if facts.get("published") else ", their borders and the depth inside them"
    return (
        f"The network predicted maps of nuclei{others}, in tiles "
        f"of {settings['tile']} px that overlap by {settings['overlap']} px{turned}."
    )


def _labels(facts: Facts) -> str:
    given = ", ".join(f"{name} {value}" for name, value in facts["settings"]["instances"].items())
    return f"Seeds found in the maps were regrown into the nuclei ({given.replace('_', ' ')})."


def _linking(facts: Facts) -> str:
    link, axes = facts["settings"]["link"], facts["axes"]
    parts = []
    if "Z" in axes:
        parts.append(f"In stacks, nuclei were found {LINKED[link]}{_apart(facts)}.")
    if "T" in axes and link != "none":
        parts.append(
            "Over time, nuclei were linked by the pairs with the largest total overlap; two nuclei "
            "that share most with one of the frame before were taken for its daughters."
        )
    return " ".join(parts)


def _apart(facts: Facts) -> str:
    """Return how far apart planes were taken to be, where that counted."""
    distance = facts["settings"]["anisotropy"]
    if distance is None:
        return ""
    # Results of before it could be estimated say nothing of it.
    is_given = facts.get("anisotropy_is_given", True)
    why = "as assumed" if distance == 1 else "as estimated by the shape of nuclei"
    how = "" if is_given else f", {why}"
    return f", with planes {distance:.3g} px apart{how}"


def _where(facts: Facts) -> str:
    return (
        f"This was computed on {facts['date'][:10]} on {facts['device']} with {_versions(facts)}."
    )


def _versions(facts: Facts) -> str:
    """Return the versions of what a result was made with, each cited."""
    others = {name: number for name, number in facts["versions"].items() if name != PLUGIN}
    return ", ".join(
        WRITTEN.get(name, f"{name} {{}}").format(number) for name, number in others.items()
    )


def by_hand(n_corrected: int, more: str = "") -> str:
    """Return how many nuclei were corrected by hand, and more of that; empty if none was."""
    if not n_corrected:
        return ""
    were = "1 nucleus was" if n_corrected == 1 else f"{n_corrected} nuclei were"
    return f"Afterwards, {were} corrected by hand.{more}"


def mixed(facts: Facts) -> str:
    """Return where the labels of earlier runs are, in one sentence; empty if nowhere."""
    is_mixed = facts.get("has_earlier_labels", False)
    return "Labels outside of this part are those of earlier runs." if is_mixed else ""


def is_part(facts: Facts) -> bool:
    """Tell whether less than the whole image was segmented."""
    return any(
        (start or 0) > 0 or (stop is not None and stop < n)
        for (start, stop), n in zip(facts["region"], facts["shape"], strict=True)
    )


def slices(region: Sequence[Sequence[int | None]]) -> str:
    """Return a region as it is written between brackets."""
    return ", ".join(
        ":".join("" if edge is None else str(edge) for edge in (start, stop))
        for start, stop in region
    )
