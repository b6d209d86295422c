"""Figures of several processes as though they were one.

Each counts in files of its own, in a folder that this process made; they are added up when somebody
asks. The files outlive their process, so a sum never goes back when one is killed.

Source: Prometheus client for Python, "Multiprocess Mode".
"""

import os
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder to a process that counts, before it brings the client in."""

Pids = Callable[[], Mapping[str, int]]
"""Gives the processes that there are, by a name that stays the same when one is started again."""


def counts_for_another(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether another process tells what this one counts."""
    return FOLDER in environ


def shared_registry(folder: str, pids: Pids) -> CollectorRegistry:
    """Give a registry with what is counted in `folder`, and what each process uses."""
    made = CollectorRegistry(auto_describe=True)
    MultiProcessCollector(made, path=folder)
    made.register(Processes(pids))
    return made


class Processes(Collector):
    """Memory, processor and open files of each process, under the client's own names."""

    def __init__(self, pids: Pids) -> None:
        self._pids = pids

    def collect(self) -> Iterable[Metric]:
        """Look; of one that has just ended there is nothing."""
        found: dict[str, Metric] = {}
        for name, pid in self._pids().items():
            for one in _of(pid):
                told = found.setdefault(one.name, Metric(one.name, one.documentation, one.type))
                for sample in one.samples:
                    told.add_sample(sample.name, {"process": name}, sample.value)
        return found.values()


def _of(pid: int) -> Iterable[Metric]:
    return ProcessCollector(pid=lambda: pid, registry=None).collect()
