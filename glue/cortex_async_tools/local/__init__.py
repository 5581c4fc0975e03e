"""Local mode: a values file run as plain processes on this machine, without a cluster."""
