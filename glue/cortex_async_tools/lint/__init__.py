"""`cortex-async lint`: everything that can be said about values files before anything is installed."""
