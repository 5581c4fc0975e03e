"""Asynchronous APIs on Kubernetes: the gateway, the dispatcher and the commands around them."""

__version__ = "0.1.0"
