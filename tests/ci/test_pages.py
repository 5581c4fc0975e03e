"""The pages that people paste from: run with stand-ins for the programs that need AWS or a cluster."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from chart.conftest import helm4 as helm4  # noqa: PLC0414 (a fixture)
from chart.helm_cli import CHART, ROOT, Helm
from chart.objects import find

STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$RECORD"
case "$*" in
  *get-caller-identity*) echo 123456789012 ;;
  *describe-repositories*) echo registry.internal/cortex-async ;;
  *identity.oidc.issuer*) echo https://oidc.eks.us-west-2.amazonaws.com/id/0123456789ABCDEF ;;
esac
"""
PROGRAMS = ("aws", "eksctl", "docker", "kubectl", "helm", "make", "curl")


def _pasted(page: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", (CHART / page).read_text(), re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the stand-ins; the doctor, who would need a cluster that answers, has one too."""
    (tmp_path / "bin").mkdir()
    for name in PROGRAMS:
        program = tmp_path / "bin" / name
        program.write_text(STAND_IN)
        program.chmod(0o755)
    for name in ("charts", "values"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def test_the_page_of_eks_can_be_pasted(folder: Path, helm4: Helm) -> None:
    doctor = 'cortex-async() { [ "$1" = doctor ] && return; command cortex-async "$@"; }\n'
    path = [str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    done = subprocess.run(
        ["bash", "-c", f"set -e\n{doctor}{_pasted('EKS.md')}"],
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join(path), "RECORD": str(folder / "record")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record = (folder / "record").read_text().splitlines()
    installed = [line.split() for line in record if line.startswith("helm upgrade --install hello-world")]
    files = [word for word in installed[-1] if word.endswith(".yaml")]
    assert files == ["api.yaml", "platform.yaml", "roles.yaml", "ingress.yaml"]
    for part in ("gateway", "dispatcher", "provision"):
        assert json.loads((folder / f"{part}-policy.json").read_text())["Statement"]
        assert json.loads((folder / f"{part}-trust.json").read_text())["Statement"]
        assert any(f"create-role --role-name hello-world-{part} " in line for line in record)
    values = [yaml.safe_load((folder / each).read_text()) for each in files]
    whole: dict[str, object] = {key: value for each in values for key, value in each.items()}
    objects = helm4.template(whole, release="hello-world", namespace="apis")
    associated = {line.split("--service-account ")[1].split()[0] for line in record if "--service-account" in line}
    assert associated == {each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"}
    assert find(objects, "Ingress")


@pytest.mark.parametrize("page", sorted(CHART.glob("*.md")), ids=lambda page: page.stem)
def test_a_link_of_a_page_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target
