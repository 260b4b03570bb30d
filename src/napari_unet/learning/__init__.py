"""Training: data sets, targets, augmentation, losses and the loop (torch)."""
