"""Where a service of a region answers."""

_USUAL_SUFFIX = "amazonaws.com"


def aws_endpoint(service: str, region: str) -> str:
    """Return the base URL of `service` ("s3", "sqs") in `region`.

    The usual partitions follow one rule; for the others (China, isolated regions) botocore's table is read,
    which costs 8 MB of memory.
    """
    suffix = _USUAL_SUFFIX
    if region.startswith(("cn-", "us-iso", "eu-iso", "eusc-")):
        import botocore.session  # noqa: PLC0415 - see above

        resolver = botocore.session.Session().get_component("endpoint_resolver")
        found = resolver.construct_endpoint(service, region) or {}
        suffix = found.get("dnsSuffix", _USUAL_SUFFIX)
    return f"https://{service}.{region}.{suffix}"
