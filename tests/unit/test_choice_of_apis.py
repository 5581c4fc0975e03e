"""Which APIs a shared gateway serves."""

import json

from cortex_async.gateway.shared.choice import Candidate, choose, read
from cortex_async.gateway.shared.watch import Found
from support.api_document import api_document


def candidate(name: str, path: str, created: str = "2026-01-01T00:00:00Z") -> Candidate:
    text = json.dumps(api_document({"name": name, "gateway": {"endpoint": path}}))
    return read(Found("ns", f"api-{name}", created, text))


def test_serves_each_path_for_the_one_that_was_there_first() -> None:
    older = candidate("b", "/x", "2026-01-01T00:00:00Z")
    choice = choose({("n1", "api-a"): candidate("a", "/x", "2026-01-02T00:00:00Z"), ("n2", "api-b"): older})
    assert choice.served == {("n2", "api-b"): older.config}
    assert "n2/api-b" in choice.refused["n1", "api-a"]


def test_of_those_made_in_the_same_second_the_order_of_names_decides_for_every_gateway() -> None:
    both = {("n2", "api-a"): candidate("a", "/x"), ("n1", "api-b"): candidate("b", "/x")}
    assert list(choose(both).served) == [("n1", "api-b")]
    assert list(choose(dict(reversed(both.items()))).served) == [("n1", "api-b")]


def test_a_name_is_served_once_in_a_namespace_and_in_each() -> None:
    choice = choose(
        {
            ("n", "api-a"): candidate("a", "/x"),
            ("n", "api-z"): candidate("a", "/y"),
            ("m", "api-a"): candidate("a", "/z"),
        }
    )
    assert set(choice.served) == {("n", "api-a"), ("m", "api-a")}
    assert "which was there first" in choice.refused["n", "api-z"]


def test_paths_of_the_gateway_itself_are_never_given_away() -> None:
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert "of the gateway itself" in choose({("n", "api-a"): candidate("a", path)}).refused["n", "api-a"]


def test_a_configmap_without_the_document_is_refused_with_the_reason() -> None:
    assert "no key api.json" in choose({("n", "x"): read(Found("n", "x", "", None))}).refused["n", "x"]
