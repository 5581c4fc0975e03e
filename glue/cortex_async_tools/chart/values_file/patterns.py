"""What the regular expressions of the schema mean, in words: no message shows an expression."""

_LABEL = "lower-case letters, digits and `-`, with a letter or digit first and last"
_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_REPOSITORY = "[a-z0-9]+([._-]+[a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
_HTTP = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?"

_WORDS = {
    "^[a-z]([-a-z0-9]*[a-z0-9])?$": "lower-case letters, digits and `-`, a letter first and no `-` last",
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": _LABEL,
    f"^{_DOMAIN}$": f"{_LABEL}; dots may join several such parts",
    f"^{_REPOSITORY}$": "a registry such as registry.internal:5000, in lower case",
    f"^({_REPOSITORY})?$": (
        "a repository such as registry.internal/team/cortex-async, in lower case and without a tag"
    ),
    "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$": "a tag: at most 128 letters, digits, `_`, `.` and `-`",
    "^sha256:[0-9a-f]{64}$": "sha256: and 64 hexadecimal digits",
    "^[A-Za-z0-9][A-Za-z0-9._:/@-]*$": "an image such as text-generator:1.0.0, without spaces",
    "^[a-z]{2,4}(-[a-z]+)+-[0-9]+$": "a region such as us-west-2",
    "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$": (
        "the name of a bucket: 3 to 63 lower-case letters, digits, `-` and `.`, without s3:// before it"
    ),
    _HTTP + "/?$": "a URL of scheme, host and port, such as https://storage.internal:9000",
    _HTTP + r"(/[A-Za-z0-9_-]+)*/[A-Za-z0-9_-]{1,80}(\.fifo)?$": (
        "the URL of a queue, such as https://sqs.us-west-2.amazonaws.com/123456789012/requests"
    ),
    _HTTP + "(/[!-~]*)?$": "a URL such as http://operator.default.svc.cluster.local:8888",
    "^([0-9]{1,7}m|[0-9]{1,4}(\\.[0-9]{1,3})?)$": "CPUs such as 2, 0.5 or 500m",
    "^([0-9]{1,15}|[0-9]{1,6}(\\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti))$": "bytes such as 512Mi, 1.5Gi or 1G",
    "^([0-9]{1,6}h([0-9]{1,6}m)?([0-9]{1,6}s)?|[0-9]{1,6}m([0-9]{1,6}s)?|[0-9]{1,6}s)$": (
        "a duration such as 90s, 5m or 1h30m"
    ),
    "^([0-9]|[1-9][0-9]|100)%$": "a percentage such as 25%",
    "^[!-~]*$": "ASCII text without spaces",
    "^[!-~]+( [!-~]+)*$": "ASCII words with single spaces between them",
    "^(CORTEX|KUBEXIT)_": "a name that begins with CORTEX_ or KUBEXIT_",
    "^(mnt|client|config|shm-[0-9]+)$": "mnt, client, config or shm-<number>",
    "^[-._a-zA-Z][-._a-zA-Z0-9]*$": "a name of letters, digits, `_`, `-` and `.`, without a digit first",
    rf"^({_DOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$": (
        "a label's key: at most 63 letters, digits, `-`, `_` and `.`, after a domain and `/` if any"
    ),
    "^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$": (
        "a label's value: at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit first and last"
    ),
    "^[A-Za-z0-9][A-Za-z0-9._=-]*(/[A-Za-z0-9][A-Za-z0-9._=-]*)*$": (
        "a prefix such as asynchronous/results, without a slash first or last"
    ),
    "^[A-Za-z0-9]([-A-Za-z0-9_]{0,40}[A-Za-z0-9])?$": "the name of a node group: letters, digits, `-` and `_`",
    r"^(\*|(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)$": "a host name, `*.` and a "
    "domain, or `*` for every one",
    r"^(helm\.sh|checksum)/": "a name that begins with helm.sh/ or checksum/",
    "^[-._/A-Za-z0-9]+$": "letters, digits, `-`, `.`, `_` and `/`",
    "^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$": "an absolute path such as /models",
}


def in_words(pattern: str) -> str | None:
    """Return what a regular expression of the schema allows, or None for one that has no words yet."""
    return _WORDS.get(pattern)
