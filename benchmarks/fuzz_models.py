"""Loads damaged model files: each must be refused in a sentence, or be a model.

``python benchmarks/fuzz_models.py 100000 [--seed 0]`` changes the bytes, the length, the header's
length field and the header's JSON of a small model file, loads each, and prints what came of them,
the longest time and how much memory the process took. It ends with status 1 where an error was
none of those that users are told, a file took longer than a second, or memory grew by more than
100 MB. A crash ends it with the number of the file, which `--first` begins at.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import resource
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_unet.network.card import Card
from napari_unet.network.model import Model, load_model_file
from napari_unet.network.unet import UNet, UNetConfig

SLOWEST = 1.0  # s
MOST_MEMORY = 100_000  # kB
ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 2**64, 10**400, -0.5, 1e308, float("nan"), float("inf"), "",
    "x" * 1000, "F64", "F8_E4M3", "I4", "BOOL", [], [[]], [0], [2**62, 2**62], [4096] * 8, {},
    {"a": {"b": []}},
)  # fmt: skip


def small_model(folder: Path) -> bytes:
    """Return the bytes of a model file of 4 kB."""
    torch.manual_seed(0)
    config = UNetConfig(filters=(2, 4), dropout=(0.0,) * 3)
    model = Model(UNet(config).eval(), Card("small", config, 20.0))
    return model.save(folder / "small.safetensors").read_bytes()


def mutated(whole: bytes, rng: np.random.Generator) -> bytes:
    """Return a file that differs in one of the ways, or in several."""
    for _ in range(1 + rng.geometric(0.7) // 2):
        whole = WAYS[rng.integers(len(WAYS))](whole, rng)
    return whole


def flip_bits(whole: bytes, rng: np.random.Generator) -> bytes:
    content = bytearray(whole)
    for place in rng.integers(0, len(content), rng.integers(1, 9)) if content else []:
        content[place] ^= 1 << int(rng.integers(8))
    return bytes(content)


def flip_bits_of_header(whole: bytes, rng: np.random.Generator) -> bytes:
    n = 8 + header_length(whole)
    return flip_bits(whole[:n], rng) + whole[n:]


def cut_off(whole: bytes, rng: np.random.Generator) -> bytes:
    return whole[: rng.integers(0, len(whole) + 1)]


def add_bytes(whole: bytes, rng: np.random.Generator) -> bytes:
    place, more = rng.integers(0, len(whole) + 1), rng.bytes(int(rng.integers(1, 99)))
    return whole[:place] + more + whole[place:]


def overwrite(whole: bytes, rng: np.random.Generator) -> bytes:
    place, n = rng.integers(0, len(whole) + 1), int(rng.integers(1, 99))
    new = rng.bytes(n) if rng.random() < 0.5 else bytes([int(rng.integers(256))]) * n
    return whole[:place] + new + whole[place + n :]


def lie_about_the_header(whole: bytes, rng: np.random.Generator) -> bytes:
    near = header_length(whole) + int(rng.integers(-9, 10))
    lengths = (near, 0, 1, len(whole), 2**20, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
    return struct.pack("<Q", max(0, lengths[rng.integers(len(lengths))])) + whole[8:]


def change_tensors(whole: bytes, rng: np.random.Generator) -> bytes:
    return with_header(whole, lambda header: change(header, rng))


def change_card(whole: bytes, rng: np.random.Generator) -> bytes:
    def changed(header: Any) -> Any:
        card = json.loads(header["__metadata__"]["napari_unet"])
        change(card, rng)
        header["__metadata__"]["napari_unet"] = json.dumps(card)
        return header

    return with_header(whole, changed)


WAYS = (
    flip_bits, flip_bits_of_header, cut_off, add_bytes, overwrite, lie_about_the_header,
    change_tensors, change_card,
)  # fmt: skip


def header_length(whole: bytes) -> int:
    """Return how long a file says its header is, at most as long as it can be."""
    return min(int.from_bytes(whole[:8], "little"), max(0, len(whole) - 8))


def with_header(whole: bytes, change_it: Any) -> bytes:
    """Return a file whose header is another one; itself if it has none."""
    n = header_length(whole)
    try:
        text = json.dumps(change_it(json.loads(whole[8 : 8 + n]))).encode()
    except (ValueError, KeyError, TypeError):
        return whole
    return struct.pack("<Q", len(text)) + text + whole[8 + n :]


def change(value: Any, rng: np.random.Generator) -> Any:
    """Change something somewhere in a value of JSON, in place; return it."""
    keys = list(value) if isinstance(value, dict) else [*range(len(value))]
    if not keys:
        return value
    key = keys[rng.integers(len(keys))]
    inner = value[key]
    if isinstance(inner, dict | list) and inner and rng.random() < 0.7:
        change(inner, rng)
    elif isinstance(value, dict) and rng.random() < 0.3:
        del value[key]
    elif isinstance(value, dict) and rng.random() < 0.2:
        value[f"{key}x"] = inner
    else:
        value[key] = ODD_VALUES[rng.integers(len(ODD_VALUES))]
    return value


def outcome_of(path: Path) -> str:
    """Load a file, and return what came of it; what it must not be begins with "WRONG"."""
    started = time.perf_counter()
    try:
        load_model_file(path, "cpu")
        outcome = "a model"
    except ValueError as error:
        whole = str(error).startswith("Expected a model") and "\n" not in str(error)
        outcome = "refused" if whole else f"WRONG words: {error}"[:200]
    except Exception as error:
        outcome = f"WRONG error: {type(error).__name__} {error}"[:200]
    seconds = time.perf_counter() - started
    return outcome if seconds < SLOWEST else f"WRONG: took {seconds:.1f} s"


def memory() -> int:
    """Return the most memory that the process has taken, in kB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("n", type=int, help="how many files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    options = parser.parse_args()
    faulthandler.enable()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        whole = small_model(Path(folder))
        path = Path(folder) / "mutated.safetensors"
        before, started = 0, time.monotonic()
        for number in range(options.first, options.first + options.n):
            path.unlink(missing_ok=True)
            path.write_bytes(mutated(whole, np.random.default_rng([options.seed, number])))
            outcome = outcome_of(path)
            counts[outcome] += 1
            if outcome.startswith("WRONG"):
                print(number, outcome)
            if number == options.first + 99:
                before = memory()
    grown = memory() - before
    for outcome, n in counts.most_common(10):
        print(f"{n:8} {outcome}")
    print(f"{time.monotonic() - started:.0f} s, memory grew by {grown / 1000:.1f} MB")
    wrong = any(outcome.startswith("WRONG") for outcome in counts)
    return int(wrong or (before > 0 and grown > MOST_MEMORY))


if __name__ == "__main__":
    sys.exit(main())
