"""Soak: mixed load for a stated time, with what the processes hold looked at whenever all is quiet.

`load` is one round of clients, good and bad; `usage` reads what a process holds; `run` puts it together, and fails
on growth: `make soak`, or `PYTHONPATH=tests python -m soak --help`.
"""
