"""A Secret as a folder: each entry a file, which the kubelet changes while the gateway runs."""

import logging
import math
from collections.abc import Callable
from pathlib import Path

from cortex_async import limits

log = logging.getLogger(__name__)


class SecretFolder:
    """Reads the files when they are needed, at most every few seconds; `clock` tells seconds."""

    def __init__(self, folder: str, clock: Callable[[], float]) -> None:
        self._folder = Path(folder)
        self._clock = clock
        self._read_at = -math.inf

    def read_again(self) -> dict[str, bytes] | None:
        """Return the files by their names, without white space around; None: those of before still count."""
        now = self._clock()
        if now - self._read_at < limits.SECRETS_RELOAD_SECONDS:
            return None
        self._read_at = now
        try:
            files = [each for each in self._folder.iterdir() if each.is_file()]
            return {file.name: file.read_bytes().strip() for file in files}
        except OSError as error:  # in the middle of a change
            log.warning("the files of a Secret cannot be read", extra={"reason": str(error)})
            return None
