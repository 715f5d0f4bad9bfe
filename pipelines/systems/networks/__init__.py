"""The published architectures, at their published size and at smaller ones."""
