"""Labels made anew from maps that were kept, with other settings and without the network."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_unet.images.roomy import moved, roomy
from napari_unet.nuclei.adjusting import before_selection, in_a_plane
from napari_unet.nuclei.cleaning import rim_ids, selection
from napari_unet.nuclei.instances import InstanceSettings, instances, least_size, separated
from napari_unet.nuclei.linking import following
from napari_unet.nuclei.tables import counted, looked_up
from napari_unet.segmentation import (
    Progress,
    SegmentSettings,
    is_in_volumes,
    label_maps,
    walk_order,
)


def plane_place(axes: str, plane: tuple[int, ...]) -> tuple[slice, ...]:
    """Return where a plane lies in the labels of an image.

    Parameters
    ----------
    axes : str
        The image's axes.
    plane : tuple of int
        Frame and plane, as far as there are such axes.

    Examples
    --------
    >>> plane_place("ZTYX", (5, 2))
    (slice(2, 3, None), slice(5, 6, None), slice(None, None, None), slice(None, None, None))
    """
    order, _ = walk_order(axes)
    parts = [*(slice(at, at + 1) for at in plane), slice(None), slice(None)]
    return tuple(parts[order.index(axis)] for axis in range(len(order)))


def in_its_place(axes: str, plane: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return a plane (y, x) with the axes of the labels of an image, to be put at its place."""
    order, _ = walk_order(axes)
    return plane.reshape((1,) * (len(order) - 2) + plane.shape).transpose(np.argsort(order))


@dataclass(frozen=True, eq=False)
class Separated:
    """All nuclei of a plane or a volume, of which sizes and the rim then choose.

    Parameters
    ----------
    labels : int32
        Of whatever size and place.
    sizes : array of int
        Of every id, that of the background first.
    at_rim : array of int
        Ids on the rim of y or x.
    """

    labels: NDArray[np.int32]
    sizes: NDArray[np.intp]
    at_rim: NDArray[np.integer]

    @classmethod
    def of(
        cls, maps: NDArray[np.uint8], how: InstanceSettings, anisotropy: float = 1.0
    ) -> Separated:
        """Return those of the maps."""
        labels = separated(maps, how, anisotropy)
        return cls(labels, counted(labels), rim_ids(labels, range(labels.ndim - 2, labels.ndim)))

    def chosen(self, how: InstanceSettings, anisotropy: float = 1.0) -> NDArray[np.int32]:
        """Return a table from ids to themselves, 0 for the nuclei that are left out."""
        least = least_size(how, self.labels.ndim, anisotropy)
        return selection(self.sizes, least, how.max_size, self.at_rim if how.drop_rim else None)


class Relabelling:
    """Labels of one result by whatever settings; the slow half of the work is remembered.

    A nucleus keeps the id that it has in the run's own labels, where it overlaps itself there,
    so that moving a slider there and back changes nothing.

    Parameters
    ----------
    maps : (maps, ...) uint8
        As `segmentation.predict_maps` returns them.
    axes : str
        The image's axes.
    settings : SegmentSettings
        Of the run.
    before : int32
        The run's own labels, of the shape of the maps.
    highest : int
        New nuclei get the ids after this one.
    """

    def __init__(
        self,
        maps: NDArray[np.uint8],
        axes: str,
        settings: SegmentSettings,
        before: NDArray[np.int32],
        highest: int,
    ) -> None:
        order, self._names = walk_order(axes)
        self._maps = maps
        self._walked = maps.transpose(0, *(axis + 1 for axis in order))
        self._before = before
        self._before_walked = before.transpose(order)
        self._axes, self._settings, self._highest = axes, settings, highest
        self._is_in_volumes = is_in_volumes(axes, settings.link)
        self._last: tuple[tuple[InstanceSettings, tuple[int, ...]], Separated] | None = None

    def plane(self, place: tuple[int, ...], how: InstanceSettings) -> NDArray[np.int32]:
        """Return the labels of one plane, (y, x).

        They are those of `everything`, but for planes of a volume whose nuclei were not
        separated with these settings before: these are separated in the plane alone.

        Parameters
        ----------
        place : tuple of int
            Frame and plane, as far as there are such axes.
        how : InstanceSettings
            How nuclei come out of the maps.
        """
        if not self._is_in_volumes:
            found = self._separated(place, how)
            labels = looked_up(found.chosen(how), found.labels)
        elif (known := self._remembered(place[:-1], how)) is not None:
            table = known.chosen(how, self._settings.likely_anisotropy)
            labels = table[known.labels[place[-1]]]
        else:
            labels = instances(self._part(place), in_a_plane(how, self._settings.likely_anisotropy))
        return following(self._before_walked[place], labels, self._highest)

    def everything(self, how: InstanceSettings) -> Generator[Progress, None, NDArray[np.int32]]:
        """Return the labels of all planes, in the order of the maps' axes; stop to cancel."""
        settings = replace(self._settings, instances=how)
        n_walked = self._names.index("Z" if self._is_in_volumes else "Y")
        # Of many planes the shown one is remembered, of a volume all.
        is_one = int(np.prod(self._walked.shape[1 : 1 + n_walked])) == 1
        find = self._found_at_once if is_one else instances
        labels = yield from label_maps(self._maps, self._axes, settings, find, room=roomy)
        yield Progress("linking", 0, 1)
        return moved(following(self._before, labels, self._highest))

    def _found_at_once(
        self, maps: NDArray[np.uint8], how: InstanceSettings, anisotropy: float
    ) -> NDArray[np.int32]:
        """Return what `instances` does, but for the order of the ids; all maps are one part."""
        place = (0,) * (self._walked.ndim - maps.ndim)
        found = self._separated(place, how)
        return looked_up(found.chosen(how, anisotropy), found.labels)

    def _separated(self, place: tuple[int, ...], how: InstanceSettings) -> Separated:
        """Return all nuclei of a plane or volume, and remember them."""
        known = self._remembered(place, how)
        if known is None:
            known = Separated.of(self._part(place), how, self._settings.likely_anisotropy)
            self._last = (before_selection(how), place), known
        return known

    def _part(self, place: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return the maps of a plane or volume."""
        index: tuple[slice | int, ...] = (slice(None), *place)
        return self._walked[index]

    def _remembered(self, place: tuple[int, ...], how: InstanceSettings) -> Separated | None:
        # Once: another thread may remember something else at any moment.
        last = self._last
        return last[1] if last is not None and last[0] == (before_selection(how), place) else None
