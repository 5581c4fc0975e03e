"""What the tests share: real processes, a real S3 and SQS server, and a web server that does as it is told."""
