"""Work that NumPy, SciPy and scikit-image do outside of Python's lock, in several threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

MOST_THREADS = 4  # each holds a part of its own in memory
Item = TypeVar("Item")
Result = TypeVar("Result")


def n_cores() -> int:
    """Return how many cores this process may use."""
    is_known = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if is_known else os.cpu_count() or 1


def in_threads(make: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield what is made of each item, in their order; only a few are under way at a time.

    Whoever stops iterating waits for what is under way; nothing else is begun.

    Parameters
    ----------
    make : callable
        Called in a thread.
    items : sequence
        One alone is made without a thread.

    Examples
    --------
    >>> list(in_threads(abs, [-3, 2, -1]))
    [3, 2, 1]
    """
    n_threads = min(MOST_THREADS, n_cores(), len(items))
    if n_threads < 2:
        yield from map(make, items)
        return
    waiting = iter(items)
    with ThreadPoolExecutor(n_threads) as pool:
        under_way: deque[Future[Result]] = deque()
        under_way.extend(pool.submit(make, item) for item in islice(waiting, n_threads))
        while under_way:
            result = under_way.popleft().result()
            under_way.extend(pool.submit(make, item) for item in islice(waiting, 1))
            yield result


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items; while one is used, the next is made in a thread.

    Whoever stops iterating waits for the one under way.

    Examples
    --------
    >>> list(one_ahead(range(3)))
    [0, 1, 2]
    """
    source = iter(items)
    end = object()
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, source, end)
        while (item := following.result()) is not end:
            following = pool.submit(next, source, end)
            yield item  # type: ignore[misc]  # not the end
