"""Every error that is ours, under one base class.

`CortexError` is what a command may end with: its text is printed as it is, so it says what was expected,
what came, and what to do. All else that escapes a command is a defect, and shows a traceback.
"""


class CortexError(Exception):
    """Base class: the message is meant for the user."""


class ConfigError(CortexError):
    """`api.json` is not what its schema says."""
