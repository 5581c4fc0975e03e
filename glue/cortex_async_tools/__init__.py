"""What people run: the `cortex-async` command. None of it is in the image."""
