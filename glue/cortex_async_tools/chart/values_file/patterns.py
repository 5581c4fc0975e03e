# ruff: noqa: E501 (a table: a line is a pattern)
"""What the regular expressions of the schema mean, in words: no message shows an expression."""

_LETTER_FIRST = "lower-case letters, digits and `-`, a letter first and no `-` last"
_LABEL = "lower-case letters, digits and `-`, with a letter or digit first and last"
_DOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_REPOSITORY = "[a-z0-9]+([._-]+[a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
_HTTP = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?"

_WORDS = {
    "^[a-z]([-a-z0-9]*[a-z0-9])?$": _LETTER_FIRST,
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": _LABEL,
    "^[a-z]([-a-z0-9]{0,55}[a-z0-9])?$": f"at most 57 {_LETTER_FIRST}",
    "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$": f"at most 63 {_LABEL}",
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
    "^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([A-Za-z0-9_=-][A-Za-z0-9._=-]*/)*$": (
        "a prefix such as s3://my-data/images/, with a slash last"
    ),
    _HTTP + "/?$": "a URL of scheme, host and port, such as https://storage.internal:9000",
    _HTTP + r"(/[A-Za-z0-9_-]+)*/[A-Za-z0-9_-]{1,80}(\.fifo)?$": (
        "the URL of a queue, such as https://sqs.us-west-2.amazonaws.com/123456789012/requests"
    ),
    _HTTP + "(/[!-~]*)?$": "a URL such as http://operator.default.svc.cluster.local:8888",
    "^([0-9]{1,7}m|[0-9]{1,4}(\\.[0-9]{1,3})?)$": "CPUs such as 2, 0.5 or 500m",
    "^([0-9]{1,6}h([0-9]{1,6}m)?([0-9]{1,6}s)?|[0-9]{1,6}m([0-9]{1,6}s)?|[0-9]{1,6}s)$": (
        "a duration such as 90s, 5m or 1h30m"
    ),
    "^([0-9]|[1-9][0-9]|100)%$": "a percentage such as 25%",
    "^[!-~]*$": "ASCII text without spaces",
    "^[!-~]+( [!-~]+)*$": "ASCII words with single spaces between them",
    "^(CORTEX|KUBEXIT)_": "a name that begins with CORTEX_ or KUBEXIT_",
    "^([Aa]uthorization|[Cc]ookie|[Pp]roxy-[Aa]uthorization)$": "Authorization, Cookie or Proxy-Authorization",
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
    r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$": "a host name, or `*.` and a domain",
    _HTTP + r"([/?][!$-;=?-Z_a-z~]*)?$": (
        "a URL such as https://receiver.example.com/webhooks, percent-encoded, without user, password or fragment"
    ),
    r"^(\*|(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)$": "a host name, `*.` and a "
    "domain, or `*` for every one",
    r"^(helm\.sh|checksum)/": "a name that begins with helm.sh/ or checksum/",
    "^[-._/A-Za-z0-9]+$": "letters, digits, `-`, `.`, `_` and `/`",
    "^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$": "an absolute path such as /models",
    r"^([0-9]{1,15}|[0-9]{1,6}(\.[0-9]{1,3})?(k|M|G|T)|[0-9]{1,6}(\.(0{1,3}|125|250?|375|50{0,2}|625|750?|875))?(Ki|Mi|Gi|Ti))$": (
        "bytes such as 512Mi, 1.5Gi or 1G"
    ),
    "^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$": "a port from 1 to 65535, such as 8080",
    "^[-_A-Za-z0-9]([-._A-Za-z0-9]{0,251}[-_A-Za-z0-9])?$": "a key of letters, digits, `_`, `-` and `.`, with no `.` first or last",
    r"^(((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])|(([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|([0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,6})?::)/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$": (
        "a range of addresses such as 10.0.0.0/8 or fd00::/8"
    ),
    "^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "the name of a Gateway, such as public or istio-system/public",
    "^([A-Za-z0-9][-A-Za-z0-9_.]{0,19})?$": "at most 20 letters, digits, `-`, `_` and `.`, with a letter or digit first",
    "^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$": "a relative path such as models/small",
    "^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$": "letters, digits, `-` and `_`, with a letter or digit first and last",
    r"^(\*\.)?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z]([-a-z0-9]{0,61}[a-z0-9])?$": "a host name, which may begin with `*.`",
    "^[^\u007f-\u0084\u0086-\u009f\ufffe\uffff]*$": "text without control characters",
    "^/?[A-Za-z0-9._~-]*[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9._~-]*[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$": (
        "a URL path such as team/reader, without `//`, `?` or `..`"
    ),
    r"^([a-z0-9!#$&^_.+-]+/(\*|[a-z0-9!#$&^_.+-]+)|\*/\*)$": "a media type such as image/png, image/* or */*, in lower case",
    "^/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*$": "a URL path that begins with a slash, such as /cancel",
    "^[A-Za-z0-9-]+$": "the name of a header: letters, digits and `-`",
    "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$": "lower-case letters, digits, `-` and `.`, with a letter or digit first and last",
    r"^(\*|https?://[!-.0-~]+)$": "an origin such as https://app.example.com, or `*` for every one",
    "^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$": "a URL such as http://collector.monitoring.svc:4318",
}


def in_words(pattern: str) -> str | None:
    """Return what a regular expression of the schema allows, or None for one that has no words yet."""
    return _WORDS.get(pattern)
