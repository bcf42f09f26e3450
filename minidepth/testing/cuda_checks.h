// The checking mode of the emulator: every access to an array of the kernel or to shared memory is looked at.
//
// Found are accesses outside an array; reads of shared memory that this block has not written; and races: two threads
// touch one number, at least one of them writes, and no barrier lies between. Between threads of one block a
// __syncthreads() is such a barrier, between lanes of one warp also a __syncwarp() or a shuffle, between blocks nothing
// is. A sum with atomicAdd is no race, but mixing it with plain accesses is.
//
// The translator in translate.py has turned ``const real* x`` into ``Pointer<const real> x`` and
// ``__shared__ real tile[16][17];`` into ``static Shared<real, 16, 17> tile("tile");``.
#pragma once
#include <type_traits>

namespace emulator {

// Who touched a number last: a thread, several of a warp (thread -1), or several warps (warp -1).
struct Access {
    unsigned block = 0, epoch = 0, warp_epoch = 0;
    int thread = 0, warp = 0;
    bool atomic = false;

    static Access now(bool atomic = false) {
        return {block_number, emulator::epoch, emulator::warp().epoch, current, current / LANES, atomic};
    }
    // Whether nothing orders this access before the one that `later` makes.
    bool collides(const Access& later, bool shared) const {
        if (block == 0 || (atomic && later.atomic)) return false;
        if (block != later.block) return !shared;
        if (epoch != later.epoch || thread == later.thread) return false;
        return warp != later.warp || warp_epoch == later.warp_epoch;
    }
    void add(const Access& later) {
        const bool only_atomics = atomic && later.atomic;
        if (block != later.block || epoch != later.epoch) *this = later;
        else if (warp != later.warp) warp = thread = -1, atomic = only_atomics;
        else if (warp_epoch != later.warp_epoch) *this = later;
        else {
            if (thread != later.thread) thread = -1;
            atomic = only_atomics;
        }
    }
};

struct Cell { Access read, write; };  // what is known of one number

// An array with what is known of each of its numbers.
struct Watched {
    std::string name;
    char* data;
    int64_t count;
    int item_bytes;
    bool shared;
    int64_t *reads, *writes;
    std::vector<Cell> cells;

    Watched(std::string name, void* data, int64_t count, int item_bytes, bool shared, int64_t* reads, int64_t* writes)
        : name(std::move(name)), data(static_cast<char*>(data)), count(count), item_bytes(item_bytes), shared(shared),
          reads(reads), writes(writes), cells(count) {}

    std::string place(int64_t index) const { return name + "[" + std::to_string(index) + "]"; }

    // The cells of the `bytes` at `address`, after a check that they are inside.
    Cell* at(const char* address, size_t bytes, int64_t& index, int& covered) {
        const int64_t offset = address - data;
        index = offset / item_bytes - (offset < 0 && offset % item_bytes != 0);
        covered = static_cast<int>(bytes / item_bytes);
        if (offset < 0 || index + covered > count)
            fail(place(index) + " is out of bounds: " + name + " has " + std::to_string(count) + " numbers");
        if (bytes > static_cast<size_t>(item_bytes) && reinterpret_cast<uintptr_t>(address) % bytes != 0)
            fail(place(index) + " is not aligned for a read or write of " + std::to_string(bytes) + " bytes");
        return &cells[index];
    }
    void read(const char* address, size_t bytes, bool atomic = false) {
        int64_t index;
        int covered;
        Cell* cell = at(address, bytes, index, covered);
        const Access access = Access::now(atomic);
        for (int k = 0; k < covered; ++k, ++cell) {
            if (shared && cell->write.block != block_number)
                fail("shared " + place(index + k) + " is read, but no thread of the block has written it");
            if (cell->write.collides(access, shared)) race(index + k, "reads", "wrote", cell->write);
            cell->read.add(access);
        }
        if (reads) *reads += covered;
    }
    void write(const char* address, size_t bytes, bool atomic = false) {
        int64_t index;
        int covered;
        Cell* cell = at(address, bytes, index, covered);
        const Access access = Access::now(atomic);
        for (int k = 0; k < covered; ++k, ++cell) {
            if (cell->write.collides(access, shared)) race(index + k, "writes", "wrote", cell->write);
            if (cell->read.collides(access, shared)) race(index + k, "writes", "read", cell->read);
            cell->write = access;
        }
        if (writes) *writes += covered;
    }
    [[noreturn]] void race(int64_t index, const char* verb, const char* before, const Access& other) {
        std::string who = other.thread >= 0 ? "thread " + std::to_string(other.thread) : "other threads";
        if (other.block != block_number) who += " of another block";
        fail(std::string("a race: it ") + verb + (shared ? " shared " : " ") + place(index) + ", which " + who + " " +
             before + " with no barrier between");
    }
};

}  // namespace emulator

// A number that is looked at when it is read or written.
template <class T> struct Ref {
    using Value = std::remove_const_t<T>;
    T* place;
    emulator::Watched* array;

    operator Value() const {
        if (array) array->read(reinterpret_cast<const char*>(place), sizeof(T));
        return *place;
    }
    const Ref& operator=(Value value) const {
        if (array) array->write(reinterpret_cast<const char*>(place), sizeof(T));
        *place = value;
        return *this;
    }
    const Ref& operator=(const Ref& other) const { return *this = static_cast<Value>(other); }
    Ref(T* place, emulator::Watched* array) : place(place), array(array) {}
    Ref(const Ref&) = default;
    const Ref& operator+=(Value value) const { return *this = static_cast<Value>(*this) + value; }
    const Ref& operator-=(Value value) const { return *this = static_cast<Value>(*this) - value; }
    const Ref& operator*=(Value value) const { return *this = static_cast<Value>(*this) * value; }
};

// What stands for ``T*``: it knows its array. A pointer into a local array has none, and is not looked at.
template <class T> struct Pointer {
    T* place = nullptr;
    emulator::Watched* array = nullptr;

    Pointer(std::nullptr_t = nullptr) {}
    Pointer(T* place, emulator::Watched* array = nullptr) : place(place), array(array) {}
    template <class U, class = std::enable_if_t<std::is_same_v<const U, T>>>
    Pointer(const Pointer<U>& other) : place(other.place), array(other.array) {}

    Ref<T> operator[](int64_t index) const { return {place + index, array}; }
    Ref<T> operator*() const { return (*this)[0]; }
    Pointer operator+(int64_t steps) const { return {place + steps, array}; }
    Pointer operator-(int64_t steps) const { return {place - steps, array}; }
    Pointer& operator+=(int64_t steps) { place += steps; return *this; }
    Pointer& operator++() { ++place; return *this; }
    explicit operator bool() const { return place != nullptr; }
    bool operator==(std::nullptr_t) const { return place == nullptr; }
    bool operator!=(std::nullptr_t) const { return place != nullptr; }
};
template <class T> Pointer<T> operator&(const Ref<T>& ref) { return {ref.place, ref.array}; }
template <class U, class T> Pointer<U> pointer_cast(const Pointer<T>& pointer) {
    return {reinterpret_cast<U*>(const_cast<std::remove_const_t<T>*>(pointer.place)), pointer.array};
}

// A row, plane, ... of a shared array: each index is held against its own size.
template <class T, int Size, int... Rest> struct View {
    T* place;
    emulator::Watched* array;

    auto operator[](int64_t index) const {
        if (index < 0 || index >= Size)
            emulator::fail("shared " + array->name + ": index " + std::to_string(index) + " is out of bounds of a size of " +
                           std::to_string(Size));
        if constexpr (sizeof...(Rest) == 0) return Ref<T>{place + index, array};
        else return View<T, Rest...>{place + index * (Rest * ...), array};
    }
    operator Pointer<T>() const { return {place, array}; }
    Pointer<T> operator+(int64_t steps) const { return {place + steps, array}; }
};

namespace emulator { static int64_t shared_reads, shared_writes; }

template <class T, int... Sizes> struct Shared : View<T, Sizes...> {
    alignas(16) T memory[(Sizes * ...)];
    emulator::Watched watched;
    explicit Shared(const char* name)
        : View<T, Sizes...>{memory, &watched},
          watched(name, memory, (Sizes * ...), sizeof(T), true, &emulator::shared_reads,
                  &emulator::shared_writes) {}
};

template <class T> T argument(void* given) { return *static_cast<T*>(given); }

// The launch that is running, and its arrays.
namespace emulator {
static Launch* launched;
static std::vector<std::unique_ptr<Watched>> arrays;
}

template <class T> Pointer<T> array_argument(void* given) {
    Array& array = *static_cast<Array*>(given);
    if (array.data == nullptr) return nullptr;
    for (auto& known : emulator::arrays)  // the same memory handed in twice is one array
        if (known->data == array.data) return {static_cast<T*>(array.data), known.get()};
    emulator::arrays.push_back(std::make_unique<emulator::Watched>(array.name, array.data, array.count,
                                                                   array.item_bytes, false, &array.reads, &array.writes));
    return {static_cast<T*>(array.data), emulator::arrays.back().get()};
}
// A pointer made from the address of an array, see optim/multi_tensor.py. The array must still be there.
template <class U> Pointer<U> pointer_cast(int64_t address) {
    if (address == 0) return nullptr;
    for (auto& known : emulator::arrays)
        if (reinterpret_cast<int64_t>(known->data) == address) return {reinterpret_cast<U*>(address), known.get()};
    for (int k = 0; k < emulator::launched->addressed_count; ++k) {
        Array& array = emulator::launched->addressed[k];
        if (reinterpret_cast<int64_t>(array.data) != address) continue;
        if (sizeof(U) != array.item_bytes) emulator::fail(std::string(array.name) + " holds numbers of another size");
        return array_argument<U>(&array);
    }
    emulator::fail("a pointer is made from an address at which no array begins");
}
template <class T> T looked_at_atomically(const Pointer<T>& pointer) {
    if (pointer.array) {
        pointer.array->read(reinterpret_cast<const char*>(pointer.place), sizeof(T), true);
        pointer.array->write(reinterpret_cast<const char*>(pointer.place), sizeof(T), true);
    }
    return *pointer.place;
}
template <class T, class U> T atomicAdd(const Pointer<T>& pointer, U value) {
    const T old = looked_at_atomically(pointer);
    *pointer.place = old + static_cast<T>(value);
    return old;
}
template <class T, class U> T atomicMax(const Pointer<T>& pointer, U value) {
    const T old = looked_at_atomically(pointer);
    *pointer.place = max(old, static_cast<T>(value));
    return old;
}
template <class T> std::remove_const_t<T> __ldg(const Pointer<T>& pointer) { return *pointer; }
