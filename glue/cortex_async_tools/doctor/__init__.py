"""`cortex-async doctor`: what an API lacks to run, in account and cluster, and the command that mends it."""
