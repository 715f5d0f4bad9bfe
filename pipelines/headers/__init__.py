"""What the headers say: attributes, files, frames, b-values, mosaics. pydicom and numpy alone."""
