"""Making the crops of the next steps while the network works on this one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from geoseg.learn.dataset import TrainingCrops

_AHEAD = 4


def prefetch(crops: TrainingCrops, batch: int, steps: range, rank: int, threads: int
             ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield (step, images, labels) in order, the next ones being made in threads meanwhile.

    Args:
        crops: Source of crops.
        batch: Crops per step.
        steps: Steps to make crops for.
        rank: Number of this process among those that share a step.
        threads: How many make crops at once.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="crops") as pool:
        waiting: list[Future[tuple[np.ndarray, np.ndarray]]] = []
        try:
            upcoming = iter(steps)
            for step in steps:
                while len(waiting) < _AHEAD and (after := next(upcoming, None)) is not None:
                    waiting.append(pool.submit(crops.batch, after, batch, rank))
                images, labels = waiting.pop(0).result()
                yield step, images, labels
        finally:
            for future in waiting:
                future.cancel()
