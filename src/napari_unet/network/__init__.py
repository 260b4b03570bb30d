"""The U-Net, its model files and the device it runs on (torch)."""

SUFFIX = ".safetensors"
"""Of every model file; here, since a list of names must not wait for torch."""
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
"""What the network can compute in, the default first; here for the same reason."""
VARIANTS = (
    "unet",
    "attention",
    "nested",
    "nested-deep",
    "dense",
    "no-skips",
)
"""Names of the networks that can be trained; here for the same reason."""
