"""The sliders of the dock "Segment nuclei": what can be changed without the network."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from magicgui.widgets import CheckBox, Container, FloatSlider, Label, PushButton
from qtpy.QtWidgets import QDoubleSpinBox

from napari_unet.nuclei.adjusting import MOST_SPLITTING, Adjustment, adjusted, adjustment_of
from napari_unet.nuclei.instances import InstanceSettings
from napari_unet.widgets.form import align_labels, fold, styled, wrap

RANGE_OF_SMALLEST, RANGE_OF_LARGEST = 2, 6  # diameters of a typical nucleus
STEP = 0.1  # px of the image
WIDEST_READOUT = "0000.0 µm"
READOUT_PADDING = 20  # px, which napari's style takes


@dataclass(frozen=True)
class Measure:
    """How sizes are told.

    Parameters
    ----------
    pixel, unit : float, str
        Size of a pixel and its unit; 1 and "px" where it is not known.
    diameter : float
        Of a typical nucleus, in pixels.
    ndim, anisotropy : int, float
        Whether a nucleus is a disc or a ball, and how far apart planes are in pixels.
    """

    pixel: float
    unit: str
    diameter: float
    ndim: int
    anisotropy: float


class AdjustForm(Container[Any]):
    """The sliders, in a section that folds."""

    def __init__(self) -> None:
        self.threshold = FloatSlider(
            label="Threshold",
            min=0.02,
            max=0.98,
            step=0.01,
            tooltip="How sure the network must be of a nucleus: left more and larger, right fewer",
        )
        self.splitting = FloatSlider(
            label="Splitting",
            min=0,
            max=MOST_SPLITTING,
            step=0.01,
            tooltip="Left: few and large pieces; right: many and small ones",
        )
        self.smallest = FloatSlider(label="Smallest", tooltip="Diameter of the smallest nucleus")
        self.largest = FloatSlider(
            label="Largest", tooltip="Diameter of the largest nucleus; no limit at the right end"
        )
        self.fill_holes = CheckBox(
            text="Fill holes", tooltip="Fill the holes that nuclei have inside"
        )
        self.keep_rim = CheckBox(
            text="Nuclei at the rim", tooltip="Keep nuclei that the rim of the image cuts"
        )
        self.reset = PushButton(text="Reset", tooltip="Back to what suits the model")
        self.status, self.room = Label(value=""), Label(value="")
        self._own, self._measure = InstanceSettings(), Measure(1.0, "px", 20.0, 2, 1.0)
        inputs = [self.threshold, self.splitting, self.smallest, self.largest]
        boxes = [self.fill_holes, self.keep_rim]
        super().__init__(widgets=[*inputs, *boxes, self.reset], labels=True)
        self.margins = (0, 0, 0, 0)
        wrap(self.status.native)
        wrap(self.room.native)
        align_labels(self.native)
        for text in (self.status, self.room):
            # Without a label of their own, which would indent them.
            self.native.layout().addWidget(text.native)
        for slider in inputs:
            readout(slider).setToolTip(slider.tooltip)
        styled(self.native, partial(_widen_readouts, inputs))
        self.inputs: list[Any] = [*inputs, *boxes]
        tip = "Draw the result anew without running the network"
        self.section = fold("Adjust", self.native, tip)
        self.section.setVisible(False)

    def show_settings(self, own: InstanceSettings, how: InstanceSettings, measure: Measure) -> None:
        """Move the sliders to some settings.

        Parameters
        ----------
        own, how : InstanceSettings
            What suits the model, and what is shown.
        measure : Measure
            How sizes are told.
        """
        self._own, self._measure = own, measure
        at = adjustment_of(how, measure.ndim, measure.anisotropy)
        splitting = [self.splitting] if own.seeds == "none" else []
        for widget in self.inputs:
            widget.changed.block()
            widget.enabled = widget not in splitting
        self.threshold.value = at.threshold
        self.splitting.value = min(at.splitting, MOST_SPLITTING)
        self._show_sizes(at)
        self.fill_holes.value, self.keep_rim.value = at.fill_holes, at.keep_rim
        for widget in self.inputs:
            widget.changed.unblock()

    def _show_sizes(self, at: Adjustment) -> None:
        """Move the sliders of sizes, whose ends depend on the nuclei."""
        measure = self._measure
        for slider, most, size in (
            (self.smallest, RANGE_OF_SMALLEST, at.smallest),
            (self.largest, RANGE_OF_LARGEST, at.largest),
        ):
            end = max(most * measure.diameter, 2 * (size or 0))
            slider.min, slider.max = 0, end * measure.pixel
            slider.step = STEP * measure.pixel
            readout(slider).setSuffix(f" {measure.unit}")
            readout(slider).setDecimals(1 if slider.max >= 10 else 2)
            slider.value = slider.max if size is None else size * measure.pixel

    def settings(self) -> InstanceSettings:
        """Return the settings that the sliders stand for."""
        measure = self._measure
        is_unlimited = self.largest.value >= self.largest.max - STEP * measure.pixel
        largest = None if is_unlimited else float(self.largest.value) / measure.pixel
        wanted = Adjustment(
            float(self.threshold.value),
            float(self.splitting.value),
            float(self.smallest.value) / measure.pixel,
            largest,
            bool(self.fill_holes.value),
            bool(self.keep_rim.value),
        )
        return adjusted(self._own, wanted, measure.ndim, measure.anisotropy)


def _widen_readouts(sliders: Sequence[FloatSlider]) -> None:
    """Make the fields beside sliders wide enough for what they show."""
    for slider in sliders:
        field = readout(slider)
        widest = field.fontMetrics().horizontalAdvance(WIDEST_READOUT)
        field.setFixedWidth(widest + READOUT_PADDING)


def readout(slider: FloatSlider) -> QDoubleSpinBox:
    """Return the field beside a slider that shows its value."""
    field: QDoubleSpinBox = slider.native.findChild(QDoubleSpinBox)
    return field
