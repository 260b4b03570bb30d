"""The napari side: docks, commands and sample data."""
