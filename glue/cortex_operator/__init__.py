"""The operator: tells about a cluster's APIs, restarts them, and deploys them by helm where it may."""

__version__ = "0.1.0"
