"""Signature Version 4, held against botocore's own signer."""

import datetime
from types import SimpleNamespace
from unittest import mock

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from cortex_async.aws.signing import Signer, hash_of

TOKENS = st.none() | st.text("abcXYZ/+=", min_size=1, max_size=40)
PATHS = st.text("abcxyz0189-_./~", max_size=40).map(lambda text: "/" + text)
VALUES = st.text("abc xyz0189-_./~;:=,", min_size=1, max_size=40)
NAMES = st.from_regex(r"x-amz-meta-[a-z]{1,10}", fullmatch=True)


def botocore_signature(
    service: str, method: str, path: str, query: str, headers: dict[str, str], body: bytes, token: str | None
) -> str:
    signer = botocore.auth.S3SigV4Auth(Credentials("AKID", "secret", token), service, "eu-west-1")
    url = f"https://host.example{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, headers=headers, data=body)
    moment = datetime.datetime(2026, 11, 23, 12, 30, 15)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(request)
    return str(request.headers["Authorization"])


@given(
    service=st.sampled_from(["s3", "sqs"]),
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    path=PATHS,
    query=st.sampled_from(["", "uploads=", "partNumber=2&uploadId=a%2Fb"]),
    extra=st.dictionaries(NAMES, VALUES, max_size=4),
    body=st.binary(max_size=100),
    token=TOKENS,
)
def test_signature_is_botocores(
    service: str, method: str, path: str, query: str, extra: dict[str, str], body: bytes, token: str | None
) -> None:
    headers = {"host": "host.example", "content-type": "application/json", **extra}
    keys = SimpleNamespace(access_key="AKID", secret_key="secret", token=token)
    timestamp = datetime.datetime(2026, 11, 23, 12, 30, 15, tzinfo=datetime.UTC).timestamp()
    signed = Signer(service, "eu-west-1").sign(method, path, query, headers, hash_of(body), keys, timestamp)
    assert signed["authorization"] == botocore_signature(service, method, path, query, headers, body, token)
    assert signed.get("x-amz-security-token") == token


@pytest.mark.parametrize("change", ["day", "secret"])
def test_signing_key_is_not_kept_beyond_its_day_or_secret(change: str) -> None:
    signer = Signer("s3", "eu-west-1")
    headers = {"host": "host.example"}
    first = SimpleNamespace(access_key="AKID", secret_key="one", token=None)
    second = SimpleNamespace(access_key="AKID", secret_key="two" if change == "secret" else "one", token=None)
    later = 90_000.0 if change == "day" else 0.0
    signer.sign("GET", "/", "", headers, hash_of(b""), first, 0.0)
    fresh = Signer("s3", "eu-west-1").sign("GET", "/", "", headers, hash_of(b""), second, later)
    assert signer.sign("GET", "/", "", headers, hash_of(b""), second, later) == fresh


@given(method=st.sampled_from(["GET", "PUT"]), path=PATHS, token=TOKENS, length=st.none() | st.integers(0, 2**40))
def test_presigned_url_is_botocores(method: str, path: str, token: str | None, length: int | None) -> None:
    headers = {} if length is None else {"content-length": str(length)}
    keys = SimpleNamespace(access_key="AKID", secret_key="secret", token=token)
    timestamp = datetime.datetime(2026, 11, 23, 12, 30, 15, tzinfo=datetime.UTC).timestamp()
    query = Signer("s3", "eu-west-1").presigned_query(
        method, path, {"host": "host.example", **headers}, keys, timestamp, 900
    )
    signer = botocore.auth.S3SigV4QueryAuth(Credentials("AKID", "secret", token), "s3", "eu-west-1", expires=900)
    request = AWSRequest(method, f"https://host.example{path}", headers=headers)
    moment = datetime.datetime(2026, 11, 23, 12, 30, 15)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(request)
    assert set(query.split("&")) == set(request.url.partition("?")[2].split("&"))
