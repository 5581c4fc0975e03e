"""The dispatcher: from the queue to the pod's web server, and its answer into the bucket.

`outcome` decides, `worker` does it for one request, `receiver` keeps the slots filled, `hand` keeps what was
received from being given to others, `probes` says when the pod may be fed, `service` starts and drains it all.
"""
