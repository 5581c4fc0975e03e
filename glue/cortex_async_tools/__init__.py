"""The tools that people run: the `cortex-async` command. The image does not contain them."""
