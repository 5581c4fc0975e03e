"""S3 and SQS over aiohttp: the dozen operations the project needs, signed, pooled and retried.

botocore finds the credentials of roles; its clients are not used here, because they cost 1.9 ms of CPU a call
where this costs about 0.2 ms, and a dispatcher pays that in every pod.
"""
