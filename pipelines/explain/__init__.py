"""What a network or a final stage listened to in one patient: places of an image, and shares of its inputs."""
