"""Work in several threads comes back in order, and no more of it is begun than is asked for."""

from __future__ import annotations

import threading

import pytest

from napari_unet.images import threads
from napari_unet.images.threads import in_threads, n_cores, one_ahead


@pytest.fixture
def three_threads(monkeypatch):
    monkeypatch.setattr(threads, "MOST_THREADS", 3)
    monkeypatch.setattr(threads, "n_cores", lambda: 8)


def test_the_first_comes_first_even_if_it_is_made_last(three_threads):
    made = threading.Event()

    def make(number: int) -> int:
        if number == 0:
            assert made.wait(60)
        if number == 2:
            made.set()
        return -number

    assert list(in_threads(make, range(5))) == [0, -1, -2, -3, -4]


def test_nothing_more_is_begun_once_nobody_asks(three_threads):
    begun = []
    results = in_threads(begun.append, range(100))
    next(results)
    results.close()
    assert sorted(begun) == [0, 1, 2, 3]  # three at first, and one for that which was taken


def test_an_error_is_that_of_the_item(three_threads):
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda number: 1 // (number - 3), range(6)))


def test_one_alone_is_made_without_a_thread(three_threads):
    assert list(in_threads(lambda _: threading.current_thread(), [0])) == [threading.main_thread()]
    assert list(in_threads(abs, [])) == []


def test_there_is_a_core_at_least():
    assert n_cores() >= 1


def test_the_next_item_is_made_while_one_is_used():
    made = [threading.Event() for _ in range(3)]

    def items():
        for number, event in enumerate(made):
            event.set()
            yield number

    ahead = one_ahead(items())
    assert next(ahead) == 0
    assert made[1].wait(60)
    assert not made[2].is_set()
    assert list(ahead) == [1, 2]


def test_an_error_comes_in_the_place_of_its_item():
    ahead = one_ahead(1 // (number - 2) for number in range(4))
    assert [next(ahead), next(ahead)] == [-1, -1]
    with pytest.raises(ZeroDivisionError):
        next(ahead)


def test_whoever_stops_waits_for_what_is_under_way():
    begun = []
    ahead = one_ahead(begun.append(number) for number in range(100))
    next(ahead)
    ahead.close()
    assert begun == [0, 1]
    assert list(one_ahead([])) == []
