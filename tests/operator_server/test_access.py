"""Who may call what."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from operator_server.calls import call
from operator_server.conftest import MakeOperator
from support.kubernetes_api import Serving
from support.operator_process import TOKEN, RunningOperator, add_api
from support.processes import Emulator

CHANGES = [("POST", "/refresh/hello"), ("DELETE", "/delete/hello"), ("POST", "/deploy")]


@pytest.fixture
def sts(tmp_path: Path) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path)
    yield emulator
    emulator.process.kill()


def test_reading_takes_no_token_and_changing_does(cluster: Serving, operator: RunningOperator) -> None:
    add_api(cluster.server, "hello")
    assert call(operator, "GET", "/get/hello", token=None)[0] == 200
    for method, path in CHANGES:
        status, document = call(operator, method, path, token=None)
        assert (status, document["kind"]) == (403, "auth.not_allowed")
        assert "CORTEX_OPERATOR_TOKEN" in document["message"]
    assert call(operator, "POST", "/refresh/hello")[0] == 200


def test_a_wrong_token_is_refused_even_where_none_is_needed(cluster: Serving, operator: RunningOperator) -> None:
    add_api(cluster.server, "hello")
    assert call(operator, "GET", "/get", token="guess")[0] == 403
    assert call(operator, "GET", "/get", {"Authorization": "Basic eDp5"}, token=None)[0] == 403
    assert call(operator, "GET", "/verifycortex", token="guess")[0] == 200


def test_tokens_are_taken_up_and_given_up_without_a_restart(cluster: Serving, operator: RunningOperator) -> None:
    assert call(operator, "GET", "/get", token=TOKEN)[0] == 200
    operator.token_file.write_text("new\n")
    assert call(operator, "GET", "/get", token=TOKEN)[0] == 403
    assert call(operator, "GET", "/get", token="new")[0] == 200


def test_reading_can_be_closed_too(make_operator: MakeOperator) -> None:
    operator = make_operator(anonymous=[])
    assert call(operator, "GET", "/get", token=None)[0] == 403
    assert call(operator, "GET", "/get")[0] == 200


def test_clients_of_versions_that_are_not_served_are_told_which_are(operator: RunningOperator) -> None:
    for served in ("0.42.1", "0.42.9", "0.1.0"):
        assert call(operator, "GET", "/get", {"CortexAPIVersion": served})[0] == 200
    status, document = call(operator, "GET", "/get", {"CortexAPIVersion": "0.4.2"})
    assert (status, document["kind"]) == (400, "endpoints.api_version_mismatch")
    assert "0.42" in document["message"]
    assert call(operator, "GET", "/get", {"CortexAPIVersion": ""})[1]["kind"] == "endpoints.header_missing"


def test_keys_of_an_allowed_account_open_what_a_token_does(
    cluster: Serving, make_operator: MakeOperator, sts: Emulator
) -> None:
    add_api(cluster.server, "hello")
    account = _account(sts)
    allowed = make_operator(sts={"accounts": [account], "endpointUrl": sts.url})
    signed = {"X-Cortex-Authorization": _signed()}
    assert call(allowed, "POST", "/refresh/hello", signed, token=None)[0] == 200
    other = make_operator(sts={"accounts": ["999999999999"], "endpointUrl": sts.url})
    status, document = call(other, "GET", "/get", signed, token=None)
    assert (status, document["kind"]) == (403, "auth.other_account")


def test_where_no_account_is_allowed_a_signature_says_nothing(make_operator: MakeOperator) -> None:
    operator = make_operator()
    signed = {"X-Cortex-Authorization": _signed()}
    assert call(operator, "GET", "/get", signed, token=None)[0] == 200
    assert call(operator, "POST", "/refresh/hello", signed, token=None)[0] == 403


def test_a_signed_call_of_anything_else_is_not_sent_on(make_operator: MakeOperator, sts: Emulator) -> None:
    operator = make_operator(sts={"accounts": [_account(sts)], "endpointUrl": sts.url})
    changes: list[dict[str, str | None]] = [
        {"URL": "https://metadata.internal/"},
        {"URL": "http://sts.amazonaws.com/"},
        {"URL": "https://sts.amazonaws.com.attacker.internal/"},
        {"URL": "https://sts.amazonaws.com@attacker.internal/", "Host": "sts.amazonaws.com"},
        {"URL": "https://sts.amazonaws.com/?Action=AssumeRole"},
        {"Body": "Action=AssumeRole&Version=2011-06-15"},
        {"Method": "GET"},
        {"Header": None},
    ]
    for change in changes:
        signed = {"X-Cortex-Authorization": _signed(**change)}
        status, document = call(operator, "GET", "/get", signed, token=None)
        assert (status, document["kind"]) == (400, "auth.header_malformed"), change


def test_what_is_no_signed_call_is_refused(make_operator: MakeOperator) -> None:
    operator = make_operator(sts={"accounts": ["1"]})
    for text in ("%%%", "aGVsbG8", base64.urlsafe_b64encode(b"[]").decode()):
        status, document = call(operator, "GET", "/get", {"X-Cortex-Authorization": text}, token=None)
        assert (status, document["kind"]) == (400, "auth.header_malformed")


def test_a_cluster_that_refuses_or_is_away_is_no_fault_of_the_caller(
    cluster: Serving, operator: RunningOperator
) -> None:
    cluster.server.forbidden = {"deployments"}
    status, document = call(operator, "GET", "/get")
    assert (status, document["kind"]) == (502, "kubernetes.error")
    assert "deployments is forbidden" in document["message"]
    assert "forbidden" in operator.cortex("get").stderr


def test_an_unknown_path_is_told_in_json(operator: RunningOperator) -> None:
    assert call(operator, "GET", "/nothing")[0] == 404


def _account(sts: Emulator) -> str:
    return str(sts.client("sts").get_caller_identity()["Account"])


def _signed(**changes: str | None) -> str:
    """Sign as the original's command does: the request as JSON, in base64 without padding."""
    url, body = "https://sts.amazonaws.com/", "Action=GetCallerIdentity&Version=2011-06-15"
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    request = botocore.awsrequest.AWSRequest("POST", url, headers, body)
    botocore.auth.SigV4Auth(botocore.credentials.Credentials("test", "test"), "sts", "us-east-1").add_auth(request)
    document = {
        "Header": {name: [value] for name, value in request.headers.items()},
        "URL": url,
        "Method": "POST",
        "Host": "",
        "Body": body,
        "ContentLength": len(body),
        **changes,
    }
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
