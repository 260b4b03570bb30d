"""Images larger than memory: maps tile by tile, labels block by block, all kept in files."""
