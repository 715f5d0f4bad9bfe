"""What models read of an exam: made once, and kept."""
