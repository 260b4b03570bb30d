"""How far the maps of a tiled image are from those of the same image in one piece.

python benchmarks/tiles.py [--model nuclei] [--tiles 512 1280] [--overlaps 64 96 128 144]
"""

from __future__ import annotations

import argparse

import numpy as np

from napari_unet.api import model_settings
from napari_unet.images.synthetic import nuclei_field
from napari_unet.network.library import load_model
from napari_unet.segmentation import finish, predict_maps

SHAPE = (1600, 1700)
N_NUCLEI = 2000
IN_ONE_PIECE = 4096


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--tiles", type=int, nargs="+", default=[512, 1280])
    parser.add_argument("--overlaps", type=int, nargs="+", default=[64, 96, 128, 144])
    options = parser.parse_args()
    model = load_model(options.model)
    image, _ = nuclei_field(SHAPE, n=N_NUCLEI)
    settings = {"diameter": model.card.diameter}

    def maps(**choices: int) -> np.ndarray:
        chosen = model_settings(model, **settings, **choices)
        return finish(predict_maps(image, "YX", model.predict, chosen)).astype(int)

    whole = maps(tile=IN_ONE_PIECE)
    print("| tile | overlap | grid | largest difference | 99.99 % below |\n|---|---|---|---|---|")
    for tile in options.tiles:
        for overlap in options.overlaps:
            for grid in (1, model.network.config.multiple):
                apart = np.abs(maps(tile=tile, overlap=overlap, grid=grid) - whole) / 255
                most = f"{apart.max():.3f} | {np.quantile(apart, 0.9999):.3f}"
                print(f"| {tile} | {overlap} | {grid} | {most} |")


if __name__ == "__main__":
    main()
