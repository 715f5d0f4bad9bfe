"""What one vendor's MR files look like: names, image types, private attributes, order and units. One module each."""
