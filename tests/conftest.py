"""What holds for every test: the same examples in each run, and no proxy before this machine."""

import importlib
import os
import pkgutil

from hypothesis import HealthCheck, settings

import cortex_async
import cortex_async_tools

for _name in ("no_proxy", "NO_PROXY"):
    os.environ[_name] = "127.0.0.1,localhost,::1"

settings.register_profile(
    "same", deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("same")

# Hypothesis takes constants out of what is imported: all of it, not only what the tests before have asked for.
for _package in (cortex_async, cortex_async_tools):
    for _module in pkgutil.walk_packages(_package.__path__, f"{_package.__name__}."):
        importlib.import_module(_module.name)
