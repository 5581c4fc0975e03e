"""Local mode: run a values file as processes on this machine, without a cluster."""
