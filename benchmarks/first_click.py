"""From a fresh napari to the first labels: each step of a user's first minute, timed.

    tools/display python benchmarks/first_click.py [--rounds 5] [--waits 0 3] [--side 512]

A new process each time opens a window, adds an image, opens the dock "Segment nuclei", waits as
long as a user may look at it, and clicks; then clicks once more. "first" and "second" are the
seconds from click to labels, torch and model loaded with the first; the medians of the rounds.
Nothing else may run on the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

PLUGIN = "napari-unet-nuclei"
DIAMETER = 22.0  # px
DENSITY = 7e-4  # nuclei per pixel
STEPS = ("napari", "window", "dock", "first", "second")


def one_user(side: int, wait: float) -> None:
    """Print the seconds of each step, as JSON; in a process of its own."""
    marks = [time.perf_counter()]
    import napari

    marks.append(time.perf_counter())
    from qtpy.QtTest import QTest

    viewer = napari.Viewer()
    QTest.qWait(1)
    marks.append(time.perf_counter())
    from napari_unet.images.synthetic import nuclei_field

    image, _ = nuclei_field((side, side), n=round(DENSITY * side**2), diameter=DIAMETER)
    viewer.add_image(image)
    before = time.perf_counter()
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment nuclei")
    QTest.qWait(1)
    opened = time.perf_counter() - before
    QTest.qWait(round(1000 * wait))
    clicks = [click(dock, viewer) for _ in range(2)]
    whole = [marks[1] - marks[0], marks[2] - marks[1], opened, *clicks]
    print(json.dumps(dict(zip(STEPS, whole, strict=True))))
    viewer.close()


def click(dock, viewer) -> float:
    """Give the seconds from a click until the dock can be clicked again."""
    from qtpy.QtTest import QTest

    start, started = dock.button.text, time.perf_counter()
    dock.button.native.click()
    while dock.button.text != start:
        QTest.qWait(2)
    if not viewer.layers[-1].data.any():
        sys.exit("The dock found no nuclei.")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--waits", type=float, nargs="+", default=[0, 3], help="seconds")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--one", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        one_user(options.side, options.one)
        return
    print(f"| dock open s | {' | '.join(STEPS)} |\n|---|---|---|---|---|---|")
    for wait in options.waits:
        command = [sys.executable, __file__, "--side", str(options.side), "--one", str(wait)]
        rows = []
        for _ in range(options.rounds):
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
        medians = " | ".join(f"{statistics.median(row[it] for row in rows):.2f}" for it in STEPS)
        print(f"| {wait:.0f} | {medians} |")


if __name__ == "__main__":
    main()
