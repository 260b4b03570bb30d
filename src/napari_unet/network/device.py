"""Where the network runs, and at which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from torch import Tensor, nn

from napari_unet.network import PRECISIONS
from napari_unet.network.unet import UNet

TOLERANCE = 1e-2  # of a map in 0..1; float16 rounding alone stays below 5e-3


def list_devices() -> list[str]:
    """Return the names of the usable devices, the fastest first: "cuda", "mps", "cpu".

    Apple's "mps" is among them only if it computes a small network's maps as the CPU does.
    """
    names = ["cuda"] if torch.cuda.is_available() else []
    names += ["mps"] if torch.backends.mps.is_available() and _computes_right("mps") else []
    return [*names, "cpu"]


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; "auto" is the fastest one that works.

    Parameters
    ----------
    name : str
        "auto", a name of `list_devices`, or one of several graphics cards, such as "cuda:1".

    Raises
    ------
    ValueError
        If there is no such device on this computer.
    """
    usable = list_devices()
    if name == "auto":
        return torch.device(usable[0])
    cards = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if name not in usable + cards:
        raise ValueError(
            f"Expected one of auto, {', '.join(usable + cards[1:])} as the device, got {name!r}; "
            "choose one that this computer has."
        )
    return torch.device(name)


def describe_device(device: torch.device, chosen: str = PRECISIONS[0]) -> str:
    """Return the device's name and precision as a user reads it, such as "CPU bf16"."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    short = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bf16"}
    return f"{name} {short[precision(device, chosen)]}"


def place(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device, laid out channels last: the faster layout for convolutions."""
    moved: nn.Module = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def precision(device: torch.device, chosen: str = PRECISIONS[0]) -> torch.dtype:
    """Return the floating-point type of that name, as far as the device computes in it.

    "auto" is the fastest one that keeps the labels right: bfloat16 only where the CPU has
    instructions for it, since emulated, it is slower than float32.

    Raises
    ------
    ValueError
        If the device does not compute in it.
    """
    possible = [name for name in PRECISIONS if name != "float16" or device.type != "cpu"]
    if chosen not in possible:
        raise ValueError(
            f"Expected one of {', '.join(possible)} as the precision on {device.type}, got "
            f"{chosen!r}; choose one of these."
        )
    if chosen != PRECISIONS[0]:
        named: torch.dtype = getattr(torch, chosen)
        return named
    if device.type == "cuda":
        return torch.float16
    has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if device.type == "cpu" and has_bf16 else torch.float32


def half_precision(device: torch.device) -> torch.dtype:
    """Return the type of 16 bits that a device computes in, be it slower: it needs less memory."""
    return torch.bfloat16 if device.type == "cpu" else torch.float16


def autocast(
    device: torch.device,
    chosen: str = PRECISIONS[0],
    *,
    training: bool = False,
) -> AbstractContextManager[object]:
    """Return a context in which a network computes at a precision, that of its device for "auto".

    Training takes bfloat16 where that is float16, in which small gradients become 0, and stays
    at float32 where there is none.
    """
    dtype = precision(device, chosen)
    if training and dtype == torch.float16 and _trains_in_bf16(device):
        dtype = torch.bfloat16
    if dtype == torch.float32 or (training and dtype == torch.float16):
        return nullcontext()
    return torch.autocast(device.type, dtype)


def sent(pixels: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return pixels of the processor on a device, in the type that it computes in."""
    if device.type != "cuda":
        return pixels.to(device, dtype)
    # A graphics card fetches from pinned memory by itself; other memory is copied there first.
    return pixels.pin_memory().to(device, non_blocking=True).to(dtype)


def fetched(maps: Tensor) -> Tensor:
    """Return maps of a device on the processor."""
    if maps.device.type != "cuda":
        return maps.cpu()
    return torch.empty(maps.shape, dtype=maps.dtype, pin_memory=True).copy_(maps)


def _trains_in_bf16(device: torch.device) -> bool:
    """Tell whether a device has instructions for bfloat16."""
    if device.type != "cuda":
        return False
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


@cache
def _computes_right(name: str) -> bool:
    """Tell whether a device computes a small U-Net's maps as the CPU does."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        network = UNet().eval()
        image = torch.rand(1, 3, 64, 64).contiguous(memory_format=torch.channels_last)
        expected = network(image)
        try:
            seen = place(network, torch.device(name))(image.to(name)).cpu()
        except RuntimeError:
            return False
    # Logits, of a random network near 0: a sigmoid would hide half of what is wrong.
    return bool(torch.isfinite(seen).all() and (seen - expected).abs().max() < TOLERANCE)
