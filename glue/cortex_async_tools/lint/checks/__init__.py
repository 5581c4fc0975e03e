"""The warnings of lint, by code. The docstring of each check says why it matters and what to do."""

from cortex_async_tools.lint.checks import commands, cross_file, images, no_effect, pods, probes
from cortex_async_tools.lint.checks.check import Check
from cortex_async_tools.lint.checks.cross_file import CrossFileCheck
from cortex_async_tools.lint.suppression import UNUSED

CHECKS: dict[str, Check] = {
    "CA001": images.moving_tag,
    "CA002": probes.no_readiness_probe,
    "CA003": pods.no_memory_request,
    "CA004": probes.probe_of_unused_port,
    "CA005": probes.server_without_probe,
    "CA008": commands.batching_without_concurrency,
    "CA009": commands.plain_secret,
    "CA010": pods.low_port,
    "CA011": commands.needs_privileges,
    "CA012": commands.installs_at_start,
    "CA013": images.root_image,
    "CA014": commands.command_in_one_word,
    "CA015": commands.shell_variable,
    "CA016": probes.killed_before_ready,
    "CA017": pods.zero_disruption_budget,
    "CA018": probes.probe_of_request_path,
    "CA019": pods.whole_cores,
    "CA020": pods.pre_stop_without_drain,
    "CA021": no_effect.no_effect,
}
"""Checks of a single file."""

CROSS_FILE: dict[str, CrossFileCheck] = {"CA006": cross_file.same_name, "CA007": cross_file.same_endpoint}
"""Checks across several files."""


def why(code: str) -> str:
    """Return why a warning exists, and what to do about it."""
    if code == UNUSED:
        return "A comment that ignores nothing could hide a later mistake: remove it."
    return " ".join(((CHECKS.get(code) or CROSS_FILE[code]).__doc__ or "").split())
