"""Where images of one patient lie on each other."""
