"""Frames to volumes in patient coordinates: geometry, real-world values, resampling, intensity scales."""
