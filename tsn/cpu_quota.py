"""The number of CPUs that this process may use: `os.cpu_count()` ignores affinity and a container's quota."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def available_cpus(*, cgroups: Path = CGROUP_ROOT, own: Path = OWN_CGROUPS) -> int:
    """CPUs for this process: those of its affinity, but no more than the quota of its container, rounded up.

    Args:
        cgroups: the folder where control groups are mounted, version 1 or 2.
        own: the file that lists the control groups of this process.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *(math.ceil(quota) for quota in _quotas(cgroups, own))]))


def thread_count() -> int:
    """Threads for a pool of this process: OMP_NUM_THREADS, which `tsn task --threads` sets, else `available_cpus`."""
    requested = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # "4,2": the outer level counts
    return int(requested) if requested.isdecimal() and int(requested) else available_cpus()


def _quotas(cgroups: Path, own: Path) -> Iterator[float]:
    """The quotas, in CPUs, of this process's control groups and of all groups that contain them."""
    try:
        lines = own.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        # In a container the path may be the host's, and missing here: then the container's group is the mounted root.
        parents = [place.relative_to("/") for place in (Path(path), *Path(path).parents)]
        if not controllers:
            yield from (quota for place in parents for quota in _version_2(cgroups / place / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for mount in {"cpu", controllers}:
                yield from (quota for place in parents for quota in _version_1(cgroups / mount / place))


def _version_2(file: Path) -> Iterator[float]:
    """The quota in a file such as `150000 100000`, microseconds of CPU time in each period; `max` for no limit."""
    with suppress(OSError, ValueError):
        quota, period = file.read_text(encoding="ascii").split()
        if quota != "max":
            yield int(quota) / int(period)


def _version_1(group: Path) -> Iterator[float]:
    """The same from two files; a quota of -1 means no limit."""
    with suppress(OSError, ValueError):
        quota, period = (
            int((group / f"cpu.cfs_{what}_us").read_text(encoding="ascii")) for what in ("quota", "period")
        )
        if quota > 0:
            yield quota / period
