"""Network shapes: parameters, seconds of a training step, Mpx/s of prediction, untrained.

python benchmarks/shapes.py [--runs 4]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from napari_unet.network.device import autocast, choose_device, place
from napari_unet.network.unet import UNet, UNetConfig

SHAPES = {
    "full size, 16 to 256 filters": ((16, 32, 64, 128, 256), 1),
    "2x2 blocks, 32 to 256 filters (shipped)": ((32, 64, 128, 256), 2),
    "2x2 blocks, 48 to 384 filters": ((48, 96, 192, 384), 2),
    "2x2 blocks, 24 to 192 filters": ((24, 48, 96, 192), 2),
    "2x2 blocks, 16 to 256 filters, five levels": ((16, 32, 64, 128, 256), 2),
    "2x2 blocks, 32 to 192 filters, five levels": ((32, 48, 96, 128, 192), 2),
}
BATCH, CROP, TILE = 12, 256, 512


def median_seconds(work: Callable[[], object], runs: int) -> float:
    work()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def measure(config: UNetConfig, runs: int) -> tuple[int, float, float]:
    device = choose_device("cpu")
    network = UNet(config)
    place(network, device)
    optimiser = torch.optim.AdamW(network.parameters())
    crops, target = torch.rand(BATCH, 3, CROP, CROP), torch.rand(BATCH, 3, CROP, CROP)
    tile = torch.rand(1, 3, TILE, TILE).contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with autocast(device, training=True):
            logits = network(crops.contiguous(memory_format=torch.channels_last))
        optimiser.zero_grad()
        binary_cross_entropy_with_logits(logits.float(), target).backward()
        optimiser.step()

    def predict() -> None:
        with torch.inference_mode(), autocast(device):
            network(tile)

    trained = median_seconds(step, runs)
    network.eval()
    rate = TILE**2 / 1e6 / median_seconds(predict, runs)
    return sum(p.numel() for p in network.parameters()), trained, rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=4)
    runs = parser.parse_args().runs
    print("| shape | parameters | s a step of 12 crops | Mpx/s |\n|---|---|---|---|")
    for name, (filters, stem) in SHAPES.items():
        dropout = (0.0,) * (2 * len(filters) - 1)
        n, trained, rate = measure(UNetConfig(filters=filters, dropout=dropout, stem=stem), runs)
        print(f"| {name} | {n:,} | {trained:.2f} | {rate:.1f} |")


if __name__ == "__main__":
    main()
