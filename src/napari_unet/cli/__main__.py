"""``python -m napari_unet.cli``, where the command itself is not on the path."""

from napari_unet.cli.commands import main

if __name__ == "__main__":
    main()
