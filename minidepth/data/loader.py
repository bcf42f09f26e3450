"""Batches from a data set, made by worker threads while the training step runs.

Threads suffice: Pillow and zlib let go of Python's lock while they decode. What an epoch gives depends on (seed, epoch,
number of the sample) only. The random numbers of a sample come from a generator seeded by these three, and batches are
handed out in order, so neither the number of workers nor their timing can be seen in the result.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from minidepth.data.augment import Augment
from minidepth.data.input_form import check_form, network_input
from minidepth.data.resize import Size, resize_sample
from minidepth.data.sample import Batch, Dataset, Sample
from minidepth.errors import DataError, InputError

Empty = Callable[[tuple[int, ...], np.dtype], np.ndarray]


class Loader:
    """``for batch in loader.epoch(e)``; plain iteration gives epoch 0 the first time, then epoch 1, and so on.

    Args:
        dataset: where samples come from.
        batch_size: samples in a batch; the last batch may be smaller.
        size: (height, width) of the batch; None keeps the size at which the data set gives its samples.
        augment: a function of (sample, rng), see augment.py; None leaves samples as they are.
        seed: of the order and of the augmentation.
        shuffle: a new order in every epoch.
        workers: threads that read; 0 reads in the caller's thread. Each has one batch in hand, and one more waits.
        drop_last: leave out a last batch that is not full.
        indices: the samples to use, such as one part of `split_blocks`; None uses all.
        input_form: how pictures become numbers, see input_form.py.
        empty: makes the arrays of a batch, from shape and dtype; that of prefetch.py makes them ready for a GPU.

    Raises:
        InputError: no batch would come: no data, or a batch larger than the data with `drop_last`.
        DataError: while iterating, from a sample that cannot be read.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        size: Size | None = None,
        augment: Augment | None = None,
        seed: int = 0,
        shuffle: bool = True,
        workers: int = 2,
        drop_last: bool = False,
        indices: Sequence[int] | np.ndarray | None = None,
        input_form: str = "imagenet",
        empty: Empty = np.empty,
    ) -> None:
        check_form(input_form)
        self.indices = np.arange(len(dataset)) if indices is None else np.asarray(indices, np.int64)
        if batch_size < 1 or workers < 0:
            raise InputError(f"loader: batch_size {batch_size} must be at least 1, workers {workers} at least 0")
        if self.indices.size and not (0 <= self.indices.min() and self.indices.max() < len(dataset)):
            raise ValueError(
                f"loader: indices {self.indices.min()} to {self.indices.max()}, but {dataset.name} has {len(dataset)}"
            )
        if self.indices.size == 0 or (drop_last and batch_size > self.indices.size):
            raise InputError(
                f"batch {batch_size} is larger than the data: {self.indices.size} pictures from {dataset.name};"
                " use a smaller batch or more data"
            )
        self.dataset, self.batch_size, self.size, self.augment = dataset, batch_size, size, augment
        self.seed, self.shuffle, self.workers, self.drop_last = seed, shuffle, workers, drop_last
        self.input_form, self.empty = input_form, empty
        self.waited_s = 0.0
        """Seconds that the consumer has waited for batches so far, all epochs together. Near 0: the data keep up."""
        self._next_epoch = 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        full, rest = divmod(self.indices.size, self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    def __iter__(self) -> Iterator[Batch]:
        self._next_epoch += 1
        return self.epoch(self._next_epoch - 1)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch, the same ones however often it is asked for."""
        members = self._members(epoch)
        if self.workers == 0:
            for numbers in members:
                yield self._timed(lambda numbers=numbers: self._make_batch(numbers, epoch))  # type: ignore[misc]
            return
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="minidepth-loader")
        waiting: deque[Future[Batch]] = deque()
        try:
            for numbers in members:
                waiting.append(pool.submit(self._make_batch, numbers, epoch))
                if len(waiting) > self.workers:  # bounded, or a fast disk would fill the memory
                    yield self._timed(waiting.popleft().result)
            while waiting:
                yield self._timed(waiting.popleft().result)
        finally:  # also when the consumer stops early or a sample cannot be read: leave no thread behind
            pool.shutdown()

    def batch(self, epoch: int, number: int) -> Batch:
        """The batch of that number, from 0, in an epoch: made once more, to look at what went wrong with it."""
        return self._make_batch(self._members(epoch)[number], epoch)

    def _members(self, epoch: int) -> list[np.ndarray]:
        """The samples of each batch of an epoch."""
        order = self.indices
        if self.shuffle:
            order = np.random.default_rng((self.seed, epoch)).permutation(order)
        return [order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(len(self))]

    def _timed(self, get: Callable[[], Batch]) -> Batch:
        start = time.perf_counter()
        batch = get()
        self.waited_s += time.perf_counter() - start
        return batch

    def _make_batch(self, numbers: np.ndarray, epoch: int) -> Batch:
        samples = [self._make_sample(int(i), epoch) for i in numbers]
        sizes = {sample.valid.shape for sample in samples}
        if len(sizes) > 1:
            first = samples[0].valid.shape
            odd = next(k for k, sample in enumerate(samples) if sample.valid.shape != first)
            raise DataError(
                f"{self.dataset.source(int(numbers[odd]))}: its size {samples[odd].valid.shape} differs from"
                f" {first} of {self.dataset.source(int(numbers[0]))}; give one size for all pictures"
            )
        return stack(samples, self.input_form, self.empty)

    def _make_sample(self, i: int, epoch: int) -> Sample:
        sample = self.dataset[i]
        size = self.size or sample.valid.shape
        if self.augment is not None:
            # + 1: to NumPy the seeds (seed, epoch) of the order and (seed, epoch, 0) are the same
            sample = self.augment(sample, np.random.default_rng((self.seed, epoch, i + 1)))
        return resize_sample(sample, size)


def stack(samples: Sequence[Sample], input_form: str = "imagenet", empty: Empty = np.empty) -> Batch:
    """The batch of samples of one size, with the fields that the first one has, in arrays that `empty` makes."""

    def stacked(arrays: list[np.ndarray]) -> np.ndarray:
        return np.stack(arrays, out=empty((len(arrays), *arrays[0].shape), arrays[0].dtype))

    def maps(field: str) -> np.ndarray | None:
        """(N, 1, H, W), or None where there is no such field."""
        arrays = [getattr(sample, field) for sample in samples]
        return None if arrays[0] is None else stacked([array[None] for array in arrays])

    backgrounds = [sample.background for sample in samples if sample.background is not None]
    return Batch(
        stacked([network_input(sample.image, input_form) for sample in samples]),
        stacked([sample.depth_m[None] for sample in samples]),
        stacked([sample.valid[None] for sample in samples]),
        maps("labels"),
        maps("mask"),
        stacked([network_input(image, input_form, background=True) for image in backgrounds]) if backgrounds else None,
    )
