"""Webhooks (Standard Webhooks, standardwebhooks.com): POSTs that tell a receiver how requests go.

`receivers` says where they may go, `signing` signs, `document` is what they tell, `schedule` decides what an
answer means, `delivery` sends what is on the queue of the events, `redelivery` puts one there once more, and
`service` puts it together.
"""
