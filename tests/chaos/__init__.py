"""Chaos: many requests while dispatchers are killed, the web server is restarted and AWS is faulty.

`faults` says what can go wrong with a call, `proxy` makes it go wrong, `load` is the client, `killer` kills,
`webhooks` receives, `audit` looks at what is left, `run` puts it together: `make chaos`, or
`PYTHONPATH=tests python -m chaos --help`.
"""
