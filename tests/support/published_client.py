"""The original's Python client as it is published, unpacked and unchanged, for a process of its own."""

import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

VERSION = "0.42.1"
SHA256 = "f4340c83e843f417978d1aaadcddd766fcef2b71fb10118a43728a13da33bdb5"


def folder() -> pathlib.Path:
    """Return the folder to put on PYTHONPATH; pip fetches the source once, and refuses any other content."""
    target = pathlib.Path(sys.prefix, "lib", "cortex-async", f"cortex-{VERSION}")
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        wanted = pathlib.Path(scratch, "requirement.txt")
        wanted.write_text(f"cortex=={VERSION} --hash=sha256:{SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary=:all:", "--no-build-isolation", "--require-hashes", "--requirement", str(wanted)]
        subprocess.run([*command, "--dest", scratch], check=True)
        with tarfile.open(pathlib.Path(scratch, f"cortex-{VERSION}.tar.gz")) as archive:
            archive.extractall(scratch, filter="data")
        try:
            os.rename(pathlib.Path(scratch, f"cortex-{VERSION}"), target)  # whole or not at all
        except OSError:
            assert target.exists()  # another process was faster
    return target
