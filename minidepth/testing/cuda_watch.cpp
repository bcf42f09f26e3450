// The checking mode: what is known of every number, and the faults that are found by it; see cuda_checks.h.
#define CHECKED
#include "cuda_fibres.h"
#include <algorithm>
#include <memory>
#include <vector>

namespace emulator {

int64_t shared_reads = 0, shared_writes = 0;

// Who touched a number last: a thread, several of a warp (thread -1), or several warps (warp -1).
struct Access {
    unsigned block = 0, epoch = 0, warp_epoch = 0;
    int thread = 0, warp = 0;
    bool atomic = false;
    bool other_blocks = false, other_blocks_atomic = true;  // blocks before `block`, in this launch

    static Access now(bool atomic) {
        return {block_number, emulator::epoch, warp_epochs[current / LANES], current, current / LANES, atomic};
    }
    // Whether nothing orders this access before the one that `later` makes.
    bool collides(const Access& later, bool shared) const {
        if (block == 0) return false;
        if (!shared && other_blocks && !(other_blocks_atomic && later.atomic)) return true;
        if (atomic && later.atomic) return false;
        if (block != later.block) return !shared;
        if (epoch != later.epoch || thread == later.thread) return false;
        return warp != later.warp || warp_epoch == later.warp_epoch;
    }
    void add(Access later) {
        later.other_blocks = other_blocks || (block != 0 && block != later.block);
        later.other_blocks_atomic = other_blocks_atomic && (block == 0 || block == later.block || atomic);
        const bool ordered = block != later.block || epoch != later.epoch ||
                             (warp == later.warp && warp_epoch != later.warp_epoch);
        if (!ordered) {
            if (warp != later.warp) later.warp = later.thread = -1;
            else if (thread != later.thread) later.thread = -1;
            later.atomic = atomic && later.atomic;
        }
        *this = later;
    }
};

struct Cell { Access read, write; };  // what is known of one number

static std::string place(const Watched& array, int64_t index) {
    std::string text;
    for (int k = array.dimensions; k-- > 1; index /= array.sizes[k])
        text = "[" + std::to_string(index % array.sizes[k]) + "]" + text;
    if (array.dimensions > 0) text = "[" + std::to_string(index) + "]" + text;
    return (array.shared ? "shared " : "") + (array.name + text);
}

[[noreturn]] static void race(const Watched& array, int64_t index, const char* verb, const char* before, const Access& other) {
    std::string who = other.thread >= 0 ? "thread " + std::to_string(other.thread) : "another thread";
    if (!array.shared && (other.block != block_number || other.other_blocks)) who = "a thread of another block";
    fail(std::string("a race: it ") + verb + " " + place(array, index) + ", which " + who + " " + before +
         ", and no barrier lies between");
}

// The numbers of an array that an access covers, after a check that they are there.
struct Covered { int64_t first, end; };

static Covered covered(const Watched& array, const void* address, int bytes, int alignment) {
    const int64_t offset = static_cast<const char*>(address) - array.data;
    const int64_t first = (offset - (offset < 0 ? array.item_bytes - 1 : 0)) / array.item_bytes;
    const int64_t end = first + std::max(1, bytes / array.item_bytes);
    if (offset < 0 || end > array.count)
        fail(place(array, offset < 0 ? first : std::max(first, array.count)) + " is out of bounds: " + array.name +
             " has " + std::to_string(array.count) + " numbers");
    if (reinterpret_cast<uintptr_t>(address) % alignment != 0)
        fail(place(array, first) + " is not aligned for a read or write of " + std::to_string(bytes) +
             " bytes: its address is no multiple of " + std::to_string(alignment));
    return {first, end};
}

void Watched::read(const void* address, int bytes, int alignment, bool atomic) {
    const auto [first, end] = covered(*this, address, bytes, alignment);
    const Access access = Access::now(atomic);
    for (int64_t k = first; k < end; ++k) {
        if (shared && cells[k].write.block != block_number)
            fail(place(*this, k) + " is read, but no thread of the block has written it");
        if (cells[k].write.collides(access, shared)) race(*this, k, "reads", "has written", cells[k].write);
        cells[k].read.add(access);
    }
    *reads += end - first;
}

void Watched::write(const void* address, int bytes, int alignment, bool atomic) {
    const auto [first, end] = covered(*this, address, bytes, alignment);
    const Access access = Access::now(atomic);
    for (int64_t k = first; k < end; ++k) {
        if (cells[k].write.collides(access, shared)) race(*this, k, "writes", "has written", cells[k].write);
        if (cells[k].read.collides(access, shared)) race(*this, k, "writes", "has read", cells[k].read);
        cells[k].write.add(access);
    }
    *writes += end - first;
}

// `index` is too large for the axis of `size` that has `inner` more of them behind it.
void outside(const Watched& array, const void* at, int64_t index, int size, int inner) {
    std::string text = place(array, (static_cast<const char*>(at) - array.data) / array.item_bytes);
    for (int k = 0; k <= inner; ++k) text.erase(text.rfind('['));
    fail(text + "[" + std::to_string(index) + "] is out of bounds: there are " + std::to_string(size) + " such places");
}

Cell* new_cells(int64_t count) { return new Cell[count]; }

// --- The arrays of a launch ----------------------------------------------------------------------------------------------

static Launch* launched;
static std::vector<std::unique_ptr<Watched>> arrays;
static std::vector<std::vector<Cell>> cells;

void begin(Launch* launch) {
    launched = launch;
    arrays.clear();
    cells.clear();
    shared_reads = shared_writes = 0;
}

Watched* add_array(Array& array) {
    arrays.emplace_back(new Watched{array.name, &array.count, 1, static_cast<char*>(array.data), array.count,
                                    array.item_bytes, false, &array.reads, &array.writes, nullptr});
    return arrays.back().get();
}

// Arrays that share memory share what is known of it.
void watch_arrays() {
    std::vector<Watched*> sorted;
    for (auto& array : arrays) sorted.push_back(array.get());
    std::sort(sorted.begin(), sorted.end(), [](Watched* a, Watched* b) { return a->data < b->data; });
    for (size_t first = 0, last; first < sorted.size(); first = last) {
        const int bytes = sorted[first]->item_bytes;
        char *start = sorted[first]->data, *end = start;
        for (last = first; last < sorted.size() && (last == first || sorted[last]->data < end); ++last)
            end = std::max(end, sorted[last]->data + sorted[last]->count * sorted[last]->item_bytes);
        cells.emplace_back((end - start) / bytes);
        for (size_t k = first; k < last; ++k) sorted[k]->cells = cells.back().data() + (sorted[k]->data - start) / bytes;
    }
}

Watched* array_at(int64_t address, int item_bytes) {
    for (auto& known : arrays)
        if (reinterpret_cast<int64_t>(known->data) == address) return known.get();
    for (int k = 0; k < launched->addressed_count; ++k) {
        Array& array = launched->addressed[k];
        if (reinterpret_cast<int64_t>(array.data) != address) continue;
        if (item_bytes != array.item_bytes) fail(std::string(array.name) + " holds numbers of another size");
        Watched* watched = add_array(array);
        cells.emplace_back(array.count);
        watched->cells = cells.back().data();
        return watched;
    }
    fail("a pointer is made from an address at which no array begins");
}

void end() { launched->shared_reads = shared_reads, launched->shared_writes = shared_writes; }

}  // namespace emulator
