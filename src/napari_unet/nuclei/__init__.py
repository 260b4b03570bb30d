"""Nuclei as labels: from the network's maps to instances, followed, measured and scored."""
