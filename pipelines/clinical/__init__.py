"""Clinical variables beside the images: what each may say, and how its text is read."""
