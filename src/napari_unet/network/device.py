"""Where the network runs, and at which precision."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn

__all__ = ["choose_device", "describe_device", "list_devices", "place", "precision"]

MPS_TOLERANCE = 1e-2  # of a map in 0..1; float16 rounding alone stays below 5e-3


def list_devices() -> list[str]:
    """Give the names of the usable devices, the fastest first: "cuda", "mps", "cpu".

    Apple's "mps" is listed only if it passes :func:`mps_agrees`.
    """
    names = ["cuda"] if torch.cuda.is_available() else []
    names += ["mps"] if torch.backends.mps.is_available() and mps_agrees() else []
    return [*names, "cpu"]


def choose_device(name: str = "auto") -> torch.device:
    """Give the device of that name; "auto" is the fastest one that works.

    Raises
    ------
    ValueError
        If there is no such device on this computer.
    """
    usable = list_devices()
    if name == "auto":
        return torch.device(usable[0])
    if name.split(":")[0] not in usable:
        raise ValueError(
            f"device must be one of auto, {', '.join(usable)} on this computer, got {name!r}; "
            "choose one of these."
        )
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """Give the device's name and precision as a user reads it, such as "CPU bf16"."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    short = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bf16"}
    return f"{name} {short[precision(device)]}"


def place(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device, laid out channels last: the faster layout for convolutions."""
    moved: nn.Module = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def precision(device: torch.device) -> torch.dtype:
    """Give the fastest floating-point type that keeps the labels right on this device.

    bfloat16 only where the CPU has instructions for it: emulated, it is slower than float32.
    """
    if device.type == "cuda":
        return torch.float16
    has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if device.type == "cpu" and has_bf16 else torch.float32


@cache
def mps_agrees() -> bool:
    """Tell whether Apple's MPS computes a small U-Net's maps as the CPU does."""
    from napari_unet.network.unet import UNet, UNetConfig

    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        network = UNet(UNetConfig(filters=(8, 16), dropout=(0.0, 0.0, 0.0))).eval()
        image = torch.rand(1, 3, 64, 64)
        expected = network(image).sigmoid()
        try:
            seen = network.to("mps")(image.to("mps")).sigmoid().cpu()
        except RuntimeError:
            return False
    return bool(torch.isfinite(seen).all() and (seen - expected).abs().max() < MPS_TOLERANCE)
