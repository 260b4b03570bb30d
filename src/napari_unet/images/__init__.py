"""Pixels in and out: axes, intensities, tiles, image files and synthetic nuclei."""
