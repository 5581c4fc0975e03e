"""Whatever the schema accepts renders to valid objects, or is refused by a rule that says what is wrong."""

import json
import math
import os

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from chart.generated import Values, mended, values
from chart.helm_cli import Helm, Refused
from chart.kubernetes import validate

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))
SHARDS = (("4.3.1", 0, 0.35), ("4.3.1", 1, 0.35), ("3.19.0", 2, 0.3))
"""Parts of the work that can run beside each other: a version of helm, a seed, a share of the examples."""


@pytest.mark.parametrize(("version", "number", "share"), SHARDS)
def test_what_the_schema_accepts_is_valid_or_refused_by_a_rule(version: str, number: int, share: float) -> None:
    helm = Helm.of_version(version)
    wanted = round(EXAMPLES * share)
    rendered: set[str] = set()

    # One more in ten, since hypothesis may come up with the same values twice; every run of 200 is the same.
    @seed(number if EXAMPLES == 200 else int.from_bytes(os.urandom(8)))
    @settings(
        max_examples=math.ceil(wanted * 1.1),
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(values())
    def renders(generated: Values) -> None:
        try:
            objects = helm.template(generated)
        except Refused as refused:
            if "the values cannot work:\n- " not in str(refused):
                raise
            generated = mended(generated)
            objects = helm.template(generated)
        validate(objects)
        rendered.add(json.dumps(generated, sort_keys=True))

    renders()
    assert len(rendered) >= wanted
