"""`cortex-async lint`: find mistakes in values files before anything is installed."""
