"""Kill the first process of a container without notice. It takes a pod that sees the node's processes."""

import os
import signal
import sys
from pathlib import Path


def main(container: str) -> None:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if container in (folder / "cgroup").read_text():
                found.append(int(folder.name))
        except OSError:  # it has ended meanwhile
            continue
    os.kill(min(found), signal.SIGKILL)
    print(f"killed {min(found)}")


if __name__ == "__main__":
    main(sys.argv[1])
