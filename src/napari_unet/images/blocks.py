"""A plane or volume cut into blocks, each of which sees a little of its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

Place = tuple[slice, ...]


@dataclass(frozen=True)
class Block:
    """One part of an array, and what is seen of it.

    Attributes
    ----------
    at : tuple of int
        Which block it is, counted along each axis.
    core : tuple of slice
        Its own pixels: every pixel of the array is in one core.
    view : tuple of slice
        The core with the halo around it, cut at the rim of the array.
    """

    at: tuple[int, ...]
    core: Place
    view: Place

    @property
    def inner(self) -> Place:
        """The core within the view."""
        return within(self.core, self.view)


def blocks(shape: Sequence[int], sides: Sequence[int], halos: Sequence[int]) -> list[Block]:
    """Return the blocks that an array is cut into, in reading order.

    Parameters
    ----------
    shape, sides, halos : sequence of int
        Of the array, of a block's core, and of what is seen around it, by axis.

    Examples
    --------
    >>> [(block.core, block.view) for block in blocks((5,), (3,), (1,))]
    [((slice(0, 3, None),), (slice(0, 4, None),)), ((slice(3, 5, None),), (slice(2, 5, None),))]
    """
    counts = [-(-n // side) for n, side in zip(shape, sides, strict=True)]
    return [_block(at, shape, sides, halos) for at in product(*map(range, counts))]


def _block(
    at: tuple[int, ...], shape: Sequence[int], sides: Sequence[int], halos: Sequence[int]
) -> Block:
    core = tuple(
        slice(i * side, min((i + 1) * side, n)) for i, side, n in zip(at, sides, shape, strict=True)
    )
    view = tuple(
        slice(max(part.start - halo, 0), min(part.stop + halo, n))
        for part, halo, n in zip(core, halos, shape, strict=True)
    )
    return Block(at, core, view)


def within(place: Place, outer: Place) -> Place:
    """Return a place as it is counted from the start of another one that holds it.

    Examples
    --------
    >>> within((slice(4, 6),), (slice(3, 9),))
    (slice(1, 3, None),)
    """
    return tuple(
        slice(part.start - whole.start, part.stop - whole.start)
        for part, whole in zip(place, outer, strict=True)
    )


def in_common(one: Place, other: Place) -> Place:
    """Return what two places have in common; slices of no length where that is nothing.

    Examples
    --------
    >>> in_common((slice(0, 6),), (slice(4, 9),))
    (slice(4, 6, None),)
    """
    starts = [max(a.start, b.start) for a, b in zip(one, other, strict=True)]
    stops = [min(a.stop, b.stop) for a, b in zip(one, other, strict=True)]
    return tuple(slice(a, max(a, b)) for a, b in zip(starts, stops, strict=True))
