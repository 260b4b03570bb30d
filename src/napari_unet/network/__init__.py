"""The U-Net, its model files and the device it runs on (torch)."""
