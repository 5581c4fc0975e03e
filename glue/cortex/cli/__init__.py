"""The command `cortex`, with the outputs of the original's."""
