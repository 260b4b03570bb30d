"""The walk from an image in memory to one label per nucleus.

The network comes as a plain callable, so that everything here runs without torch.
"""

from napari_unet.images.planes import Predict
from napari_unet.segmentation.diameter import image_diameter
from napari_unet.segmentation.from_sides import mean_of_both, predict_side, with_sides
from napari_unet.segmentation.labelling import WALK, Find, label_maps, walk_order
from napari_unet.segmentation.predicting import N_MAPS, predict_maps
from napari_unet.segmentation.progress import STEPS, Progress, finish
from napari_unet.segmentation.room import check_room
from napari_unet.segmentation.settings import (
    LINKS,
    QUALITIES,
    VIEWS,
    SegmentSettings,
    is_in_volumes,
    overlap_for,
)
from napari_unet.segmentation.sizes import with_distance, with_sizes
from napari_unet.segmentation.spacing import image_spacing
from napari_unet.segmentation.walk import Segmentation, segment

__all__ = [
    "LINKS",
    "N_MAPS",
    "QUALITIES",
    "STEPS",
    "VIEWS",
    "WALK",
    "Find",
    "Predict",
    "Progress",
    "SegmentSettings",
    "Segmentation",
    "check_room",
    "finish",
    "image_diameter",
    "image_spacing",
    "is_in_volumes",
    "label_maps",
    "mean_of_both",
    "overlap_for",
    "predict_maps",
    "predict_side",
    "segment",
    "walk_order",
    "with_distance",
    "with_sides",
    "with_sizes",
]
