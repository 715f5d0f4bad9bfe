"""The physics of diffusion: ADC, kurtosis, and the scanner's own maps."""
