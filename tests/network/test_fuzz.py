"""Damaged model files, some hundreds of them; ``benchmarks/fuzz_models.py`` loads any number."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "fuzz_models.py"


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_models", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def whole(fuzz: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return fuzz.small_model(tmp_path_factory.mktemp("whole"))


@settings(max_examples=300, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
@example(seed=17)
def test_a_damaged_file_is_refused_in_a_sentence_or_is_a_model(
    fuzz: ModuleType, whole: bytes, tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "mutated.safetensors"
    path.unlink(missing_ok=True)
    path.write_bytes(fuzz.mutated(whole, np.random.default_rng(seed)))
    assert fuzz.outcome_of(path) in ("refused", "a model")


def test_every_way_of_damaging_changes_a_file(fuzz: ModuleType, whole: bytes) -> None:
    rng = np.random.default_rng(0)
    for way in fuzz.WAYS:
        assert any(way(whole, rng) != whole for _ in range(10)), way.__name__


def test_the_whole_file_is_a_model(fuzz: ModuleType, whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "whole.safetensors").write_bytes(whole)
    assert fuzz.outcome_of(tmp_path / "whole.safetensors") == "a model"
