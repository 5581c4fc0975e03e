"""The queue of an API: what a message holds, and SQS with every call batched."""
