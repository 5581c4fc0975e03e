"""Whatever the schema accepts renders to valid objects, or is refused by a rule that says what is wrong."""

import json
import os
import random

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from chart.generated import LEAVES, Values, mended, values
from chart.helm_cli import Helm, Refused
from chart.kubernetes import validate

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))
SHARDS = (("4.3.1", 0, 0.35), ("4.3.1", 1, 0.35), ("3.19.0", 2, 0.3))
"""Parts of the work that can run beside each other: a version of helm, a seed, a share of the examples."""

KEYS_AT_ONCE, EXAMPLES_EACH = 16, 5
"""Hypothesis gives up on what grows large, and would set few keys: each lot of examples has its own."""


@pytest.mark.parametrize(("version", "number", "share"), SHARDS)
def test_what_the_schema_accepts_is_valid_or_refused_by_a_rule(version: str, number: int, share: float) -> None:
    helm = Helm.of_version(version)
    rendered: set[str] = set()
    # Every run of 200 is the same one; more than that is for finding what no run has found yet.
    start = number if EXAMPLES == 200 else int.from_bytes(os.urandom(8))
    order: list[str] = []
    chance = random.Random(start)
    while len(rendered) < EXAMPLES * share:
        if len(order) < KEYS_AT_ONCE:
            order = chance.sample(sorted(LEAVES), len(LEAVES))
        names, order = order[:KEYS_AT_ONCE], order[KEYS_AT_ONCE:]

        @seed(chance.getrandbits(64))
        @settings(
            max_examples=EXAMPLES_EACH,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(values(names))
        def renders(generated: Values) -> None:
            rendered.add(_render(helm, generated))

        renders()


def _render(helm: Helm, generated: Values) -> str:
    """Render and validate, mended where a rule refuses the values; return what was rendered."""
    try:
        objects = helm.template(generated)
    except Refused as refused:
        if "the values cannot work:\n- " not in str(refused):
            raise
        generated = mended(generated)
        objects = helm.template(generated)
    validate(objects)
    return json.dumps(generated, sort_keys=True)
