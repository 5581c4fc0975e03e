"""What a call of the operator can be refused with: `{"kind": "<area>.<code>", "message"}` and a status."""

from cortex_async.errors import CortexError


class Refused(CortexError):
    """A call that is not answered as asked."""

    status = 400

    def __init__(self, kind: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        if status is not None:
            self.status = status


class NotDeployed(Refused):
    """No API has that name."""

    def __init__(self, name: str) -> None:
        super().__init__("resources.api_not_deployed", f"{name} is not deployed")


class NotAllowed(Refused):
    """The caller may not, or the operator may not."""

    status = 403

    def __init__(self, message: str, kind: str = "auth.not_allowed") -> None:
        super().__init__(kind, message)


class KubernetesError(Refused):
    """The Kubernetes API did not do what was asked of it; `reason_status` is the status it gave, if any."""

    status = 502

    def __init__(self, message: str, reason_status: int | None = None) -> None:
        super().__init__("kubernetes.error", message)
        self.reason_status = reason_status


class HelmFailed(Refused):
    """Helm ended with an error."""

    def __init__(self, message: str) -> None:
        super().__init__("operator.helm_failed", message)
