"""The gateway: accepts requests over HTTP, and answers for their results."""
