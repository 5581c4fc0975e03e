"""The table of the reviewers' warnings: a code for each. Each check's docstring says why, and what to do."""

from cortex_async_tools.lint.checks import cross_file, images, pods, probes, programs
from cortex_async_tools.lint.checks.check import Check
from cortex_async_tools.lint.checks.cross_file import CrossFileCheck
from cortex_async_tools.lint.suppression import UNUSED

CHECKS: dict[str, Check] = {
    "CA001": images.moving_tag,
    "CA002": probes.no_readiness_probe,
    "CA003": pods.missing_mem,
    "CA004": probes.probe_of_nothing,
    "CA005": probes.unprobed_server,
    "CA008": programs.unfilled_batch,
    "CA009": programs.plain_secret,
    "CA010": pods.low_port,
    "CA011": programs.needs_privileges,
    "CA012": programs.installs_at_start,
    "CA013": images.root_image,
    "CA014": programs.command_in_one_word,
    "CA015": programs.shell_variable,
    "CA016": probes.killed_before_ready,
    "CA017": pods.budget_of_nothing,
    "CA018": probes.probe_of_requests,
    "CA019": pods.many_cpus,
    "CA020": pods.no_wait_for_drain,
}
"""What is decided by one file."""

CROSS_FILE: dict[str, CrossFileCheck] = {"CA006": cross_file.same_name, "CA007": cross_file.same_endpoint}
"""What is decided by several."""


def why(code: str) -> str:
    """Return the sentence that says why there is a warning, and what to do."""
    if code == UNUSED:
        return "A comment that ignores nothing hides the next mistake: take it away."
    return " ".join(((CHECKS.get(code) or CROSS_FILE[code]).__doc__ or "").split())
