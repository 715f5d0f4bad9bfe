"""Calibration of trained bundles on patients that none of their networks has seen."""
