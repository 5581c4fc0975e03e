"""The chart's dashboard and alerts against a real Prometheus that scrapes an API: `make dashboard-check`."""
