"""CuPy's memory pool, played through without a GPU: how much a program takes from the card, to the byte.

The pool asks the card for a block when it has none, and never gives one back while there is room, since asking makes
the GPU wait. What it holds is therefore more than what arrays use, and depends on the order in which they come and go:

* sizes are rounded up to 512 bytes;
* an array gets the smallest free chunk that is large enough, and what is left over of it becomes a chunk of its own;
* a chunk that becomes free is joined with its free neighbours of the same block;
* where the card is full, blocks that are free as a whole go back to it, and it is asked once more.

Source: ``cupy/cuda/memory.pyx``, `SingleDeviceMemoryPool`, of CuPy 13 and 14. There, arrays of each stream have chunks
of their own; so a second stream is a second pool.
"""

from __future__ import annotations

from bisect import bisect_left, insort

UNIT_BYTES = 512


class NoRoomError(MemoryError):
    """The limit leaves no room for an array."""


class Chunk:
    """A piece of a block, between its neighbours there."""

    __slots__ = ("after", "before", "free", "size")

    def __init__(self, size: int) -> None:
        self.size, self.free = size, False
        self.before: Chunk | None = None
        self.after: Chunk | None = None


class PoolReplay:
    """What a pool would hold.

    Args:
        limit_bytes: the memory of the card; None for a card without an end.

    Attributes:
        used_bytes, total_bytes: what arrays use now, and what the pool has taken from the card.
        peak_used_bytes, peak_total_bytes: the most of each so far.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = self.total_bytes = self.peak_used_bytes = self.peak_total_bytes = 0
        self._free: dict[int, list[Chunk]] = {}
        self._sizes: list[int] = []
        """The keys of `_free`, sorted."""

    def take(self, n_bytes: int) -> Chunk:
        """The place of an array.

        Raises:
            NoRoomError: the card is full.
        """
        size = -(-n_bytes // UNIT_BYTES) * UNIT_BYTES
        if size == 0:
            return Chunk(0)
        place = bisect_left(self._sizes, size)
        chunk = self._pop(self._sizes[place]) if place < len(self._sizes) else self._ask_card(size)
        if chunk.size > size:
            self._split(chunk, size)
        self.used_bytes += size
        self.peak_used_bytes = max(self.peak_used_bytes, self.used_bytes)
        return chunk

    def give(self, chunk: Chunk) -> None:
        """The array at that place is gone."""
        if chunk.size == 0:
            return
        self.used_bytes -= chunk.size
        if chunk.after is not None and chunk.after.free:
            self._remove(chunk.after)
            _join(chunk, chunk.after)
        if chunk.before is not None and chunk.before.free:
            self._remove(chunk.before)
            _join(chunk.before, chunk)
            chunk = chunk.before
        self._add(chunk)

    def _ask_card(self, size: int) -> Chunk:
        if self.limit_bytes is not None and self.total_bytes + size > self.limit_bytes:
            self._give_back_whole_blocks()
            if self.total_bytes + size > self.limit_bytes:
                raise NoRoomError(f"{size:,} bytes more than {self.total_bytes:,} of {self.limit_bytes:,}")
        self.total_bytes += size
        self.peak_total_bytes = max(self.peak_total_bytes, self.total_bytes)
        return Chunk(size)

    def _give_back_whole_blocks(self) -> None:
        for chunk in [chunk for same_size in self._free.values() for chunk in same_size]:
            if chunk.before is None and chunk.after is None:
                self._remove(chunk)
                self.total_bytes -= chunk.size

    def _split(self, chunk: Chunk, size: int) -> None:
        rest = Chunk(chunk.size - size)
        rest.before, rest.after = chunk, chunk.after
        if chunk.after is not None:
            chunk.after.before = rest
        chunk.size, chunk.after = size, rest
        self._add(rest)

    def _add(self, chunk: Chunk) -> None:
        chunk.free = True
        if chunk.size not in self._free:
            self._free[chunk.size] = []
            insort(self._sizes, chunk.size)
        self._free[chunk.size].append(chunk)

    def _remove(self, chunk: Chunk) -> None:
        chunk.free = False
        same_size = self._free[chunk.size]
        same_size.remove(chunk)
        if not same_size:
            del self._free[chunk.size]
            self._sizes.remove(chunk.size)

    def _pop(self, size: int) -> Chunk:
        chunk = self._free[size][-1]
        self._remove(chunk)
        return chunk


def _join(chunk: Chunk, after: Chunk) -> None:
    """Make one chunk of two neighbours."""
    chunk.size += after.size
    chunk.after = after.after
    if after.after is not None:
        after.after.before = chunk
