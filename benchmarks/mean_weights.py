"""Write the mean of the weights of two models of one shape.

    python benchmarks/mean_weights.py ONE OTHER -o FILE [--share 0.75]

Two ends of one training, before and after the learning rate rose again, lie close enough to each
other that their mean is a network as well, and often a better one (Izmailov et al., Averaging
weights leads to wider optima and better generalization, UAI 2018). ``--share`` is the weight of
OTHER. The card is that of OTHER; batch norm takes the mean of both statistics.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_unet.learning.gate import between
from napari_unet.network.model import Model, load_model_file


def main() -> None:
    """Read two models and write their mean."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("one", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("-o", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.75)
    options = parser.parse_args()
    one, other = (load_model_file(path, "cpu") for path in (options.one, options.other))
    network = between(one.network, other.network, options.share)
    Model(network, other.card).save(options.o)


if __name__ == "__main__":
    main()
