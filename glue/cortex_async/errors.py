"""Every error that is ours, under one base class.

`CortexError` is what a command may end with: its text is printed as it is, so it says what was expected,
what came, and what to do. All else that escapes a command is a defect, and shows a traceback; but for what the
system refuses a command that is no service (a file, the output), which the command line tells in a line.

AWS has two ways of not doing what it was asked, and callers treat them differently: it did not manage to
(`AwsUnavailable`: try later, nothing is wrong with the request), or it refused (`AwsRefused`: trying again
changes nothing, somebody has to mend a name or a permission).
"""


class CortexError(Exception):
    """Base class: the message is meant for the user."""


class ConfigError(CortexError):
    """`api.json` is not what its schema says."""


class CredentialsError(CortexError):
    """No AWS credentials can be found or refreshed."""


class AwsError(CortexError):
    """A call to S3 or SQS did not succeed; `operation` is its name in the AWS documentation."""

    def __init__(self, operation: str, message: str) -> None:
        super().__init__(f"{operation}: {message}")
        self.operation = operation


class AwsUnavailable(AwsError):
    """No usable answer in the time given: no connection, throttled, a 5xx, or a cut response."""


class AwsRefused(AwsError):
    """An answer that trying again cannot change; `status` is HTTP's, `code` is the service's own."""

    def __init__(self, operation: str, status: int, code: str, message: str) -> None:
        super().__init__(operation, f"{code} (HTTP {status}): {message}" if message else f"{code} (HTTP {status})")
        self.status = status
        self.code = code


class QueueMissing(AwsUnavailable):
    """The queue does not exist (any more): it took nothing, and may be created again under the same name."""


class UploadLost(AwsUnavailable):
    """S3 has given up an upload under way: all of it has to be sent anew."""


class ObjectTooLarge(CortexError):
    """An object has more bytes than its upload can hold."""


class ObjectMissing(AwsRefused):
    """S3 holds no object under that key."""


class ObjectDamaged(AwsRefused):
    """An object has another size than it was written with: it was replaced, or restored in part."""


class ObjectExists(AwsRefused):
    """The object was to be written once, and is there already."""
