"""The one-off command that creates what an API needs in AWS."""
