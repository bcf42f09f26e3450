// The checking mode of the emulator: every access to an array of the kernel or to shared memory is looked at.
//
// Found are accesses outside an array, or at an address that does not suit their size; reads of shared memory that this
// block has not written; and races: two threads touch one number, at least one of them writes, and no barrier lies
// between. Between threads of one block a __syncthreads() is such a barrier, between lanes of one warp also a __syncwarp()
// of all of them (a shuffle is none: it orders no memory), between blocks nothing is. A sum with atomicAdd is no race, but
// mixing it with plain accesses is.
//
// The translator in translate.py has turned ``const real* x`` into ``Pointer<const real> x`` and
// ``__shared__ real tile[16][17];`` into ``static Shared<real, 16, 17> tile("tile", false);``. Arrays of one thread are
// not looked at.
#pragma once
#include <algorithm>
#include <type_traits>

namespace emulator {

// Who touched a number last: a thread, several of a warp (thread -1), or several warps (warp -1).
struct Access {
    unsigned block = 0, epoch = 0, warp_epoch = 0;
    int thread = 0, warp = 0;
    bool atomic = false;
    bool other_blocks = false, other_blocks_atomic = true;  // blocks before `block`, in this launch

    static Access now(bool atomic) {
        return {block_number, emulator::epoch, emulator::warp().epoch, current, current / LANES, atomic};
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

// An array with what is known of each of its numbers.
struct Watched {
    std::string name;
    std::vector<int64_t> sizes;
    char* data;
    int64_t count;
    int item_bytes;
    bool shared;
    int64_t *reads, *writes;
    Cell* cells = nullptr;

    std::string place(int64_t index) const {
        std::string text;
        for (size_t k = sizes.size(); k-- > 1; index /= sizes[k]) text = "[" + std::to_string(index % sizes[k]) + "]" + text;
        return (shared ? "shared " : "") + name + (sizes.empty() ? "" : "[" + std::to_string(index) + "]") + text;
    }
    // The index of the first of the numbers at `address`, and how many they are, after a check that they are inside.
    int64_t at(const char* address, size_t bytes, size_t alignment, int64_t& covered) {
        const int64_t offset = address - data, index = (offset - (offset < 0 ? item_bytes - 1 : 0)) / item_bytes;
        covered = std::max<int64_t>(1, bytes / item_bytes);
        if (offset < 0 || index + covered > count)
            fail(place(std::max(index, index + covered > count ? count : index)) + " is out of bounds: " + name + " has " +
                 std::to_string(count) + " numbers");
        if (reinterpret_cast<uintptr_t>(address) % alignment != 0)
            fail(place(index) + " is not aligned for a read or write of " + std::to_string(bytes) +
                 " bytes: its address is no multiple of " + std::to_string(alignment));
        return index;
    }
    void read(const char* address, size_t bytes, size_t alignment, bool atomic = false) {
        int64_t covered, index = at(address, bytes, alignment, covered);
        const Access access = Access::now(atomic);
        for (int64_t k = index; k < index + covered; ++k) {
            if (shared && cells[k].write.block != block_number)
                fail(place(k) + " is read, but no thread of the block has written it");
            if (cells[k].write.collides(access, shared)) race(k, "reads", "has written", cells[k].write);
            cells[k].read.add(access);
        }
        if (reads) *reads += covered;
    }
    void write(const char* address, size_t bytes, size_t alignment, bool atomic = false) {
        int64_t covered, index = at(address, bytes, alignment, covered);
        const Access access = Access::now(atomic);
        for (int64_t k = index; k < index + covered; ++k) {
            if (cells[k].write.collides(access, shared)) race(k, "writes", "has written", cells[k].write);
            if (cells[k].read.collides(access, shared)) race(k, "writes", "has read", cells[k].read);
            cells[k].write.add(access);
        }
        if (writes) *writes += covered;
    }
    [[noreturn]] void race(int64_t index, const char* verb, const char* before, const Access& other) {
        std::string who = other.thread >= 0 ? "thread " + std::to_string(other.thread) : "another thread";
        const bool block = !shared && (other.block != block_number || other.other_blocks);
        fail(std::string("a race: it ") + verb + " " + place(index) + ", which " +
             (block ? "a thread of another block " : who + " ") + before + ", and no barrier lies between");
    }
};

// float for float; unsigned char and int for unsigned char.
template <class Value, bool = std::is_arithmetic_v<Value>> struct Promoted { using type = Value; };
template <class Value> struct Promoted<Value, true> { using type = decltype(+Value()); };
template <class To, class Value>
constexpr bool same_number = std::is_same_v<To, Value> || std::is_same_v<To, typename Promoted<Value>::type>;

}  // namespace emulator

// A number that is looked at when it is read or written.
template <class T> struct Ref {
    using Value = std::remove_const_t<T>;
    T* place;
    emulator::Watched* array;

    Ref(T* place, emulator::Watched* array) : place(place), array(array) {}
    Ref(const Ref&) = default;
    Value get() const {
        if (array) array->read(reinterpret_cast<const char*>(place), sizeof(T), alignof(T));
        return *place;
    }
    const Ref& operator=(Value value) const {
        if (array) array->write(reinterpret_cast<const char*>(place), sizeof(T), alignof(T));
        *place = value;
        return *this;
    }
    const Ref& operator=(const Ref& other) const { return *this = other.get(); }

    // By itself it turns into what its own type does in arithmetic: else ``inside ? tile[i] : 0`` would be an int.
    template <class To, std::enable_if_t<emulator::same_number<To, Value>, int> = 0> operator To() const { return get(); }
    template <class To, std::enable_if_t<!emulator::same_number<To, Value>, int> = 0> explicit operator To() const {
        return static_cast<To>(get());
    }
    const Ref& operator+=(Value value) const { return *this = get() + value; }
    const Ref& operator-=(Value value) const { return *this = get() - value; }
    const Ref& operator*=(Value value) const { return *this = get() * value; }
    const Ref& operator/=(Value value) const { return *this = get() / value; }
};

#define MINIDEPTH_OPERATOR(op)                                                                                        \
    template <class A, class B> auto operator op(const Ref<A>& a, const Ref<B>& b) { return a.get() op b.get(); }      \
    template <class A, class B, std::enable_if_t<std::is_arithmetic_v<B>, int> = 0>                                    \
    auto operator op(const Ref<A>& a, B b) { return a.get() op b; }                                                    \
    template <class A, class B, std::enable_if_t<std::is_arithmetic_v<A>, int> = 0>                                    \
    auto operator op(A a, const Ref<B>& b) { return a op b.get(); }
MINIDEPTH_OPERATOR(+) MINIDEPTH_OPERATOR(-) MINIDEPTH_OPERATOR(*) MINIDEPTH_OPERATOR(/) MINIDEPTH_OPERATOR(%)
MINIDEPTH_OPERATOR(<) MINIDEPTH_OPERATOR(>) MINIDEPTH_OPERATOR(<=) MINIDEPTH_OPERATOR(>=) MINIDEPTH_OPERATOR(==)
MINIDEPTH_OPERATOR(!=)
#undef MINIDEPTH_OPERATOR
template <class T> auto operator-(const Ref<T>& ref) { return -ref.get(); }

// What stands for ``T*``: it knows its array. A pointer into an array of one thread has none, and is not looked at.
template <class T> struct Pointer {
    T* place = nullptr;
    emulator::Watched* array = nullptr;

    Pointer(std::nullptr_t = nullptr) {}
    Pointer(T* place, emulator::Watched* array = nullptr) : place(place), array(array) {}
    template <class U, class = std::enable_if_t<std::is_same_v<const U, T>>>
    Pointer(const Pointer<U>& other) : place(other.place), array(other.array) {}

    // What is only read comes as a plain number.
    auto operator[](int64_t index) const {
        const Ref<T> ref{place + index, array};
        if constexpr (std::is_const_v<T>) return ref.get();
        else return ref;
    }
    auto operator*() const { return (*this)[0]; }
    Pointer operator+(int64_t steps) const { return {place + steps, array}; }
    Pointer operator-(int64_t steps) const { return {place - steps, array}; }
    int64_t operator-(const Pointer& other) const { return place - other.place; }
    Pointer& operator+=(int64_t steps) { place += steps; return *this; }
    Pointer& operator-=(int64_t steps) { place -= steps; return *this; }
    Pointer& operator++() { ++place; return *this; }
    explicit operator bool() const { return place != nullptr; }
    bool operator==(std::nullptr_t) const { return place == nullptr; }
    bool operator!=(std::nullptr_t) const { return place != nullptr; }
    bool operator<(const Pointer& other) const { return place < other.place; }
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
        if (index < 0 || index >= Size) outside(index);
        if constexpr (sizeof...(Rest) == 0) return Ref<T>{place + index, array};
        else return View<T, Rest...>{place + index * (Rest * ...), array};
    }
    [[noreturn]] void outside(int64_t index) const {
        std::string text = array->place(place - reinterpret_cast<T*>(array->data));
        for (size_t k = 0; k < sizeof...(Rest) + 1; ++k) text.erase(text.rfind('['));
        emulator::fail(text + "[" + std::to_string(index) + "] is out of bounds: there are " + std::to_string(Size) +
                       " such places");
    }
    operator Pointer<T>() const { return {place, array}; }
    Pointer<T> operator+(int64_t steps) const { return {place + steps, array}; }
};

namespace emulator {

static int64_t shared_reads, shared_writes;

// The memory of a shared array. On a GPU it lies where the compiler likes; unless it is asked for a multiple of 16 bytes,
// here it is none, so that float4 would be found out.
template <class T, int Count> struct SharedMemory {
    alignas(16) char bytes[Count * sizeof(T) + 16];
    std::vector<Cell> cells{static_cast<size_t>(Count)};
    Watched watched;

    SharedMemory(const char* name, bool aligned, std::vector<int64_t> sizes)
        : watched{name, std::move(sizes), bytes + (aligned ? 0 : alignof(T)), Count, sizeof(T), true, &shared_reads,
                  &shared_writes, cells.data()} {}
    T* begin() { return reinterpret_cast<T*>(watched.data); }
};

}  // namespace emulator

template <class T, int... Sizes> struct Shared : emulator::SharedMemory<T, (Sizes * ...)>, View<T, Sizes...> {
    Shared(const char* name, bool aligned)
        : emulator::SharedMemory<T, (Sizes * ...)>(name, aligned, {Sizes...}), View<T, Sizes...>{this->begin(), &this->watched} {}
};
template <class T> struct Shared<T> : emulator::SharedMemory<T, 1>, Ref<T> {
    Shared(const char* name, bool aligned) : emulator::SharedMemory<T, 1>(name, aligned, {}), Ref<T>(this->begin(), &this->watched) {}
    using Ref<T>::operator=;
};

template <class T> T argument(void* given) { return *static_cast<T*>(given); }

// The launch that is running, and its arrays.
namespace emulator {
static Launch* launched;
static std::vector<std::unique_ptr<Watched>> arrays;
static std::vector<std::vector<Cell>> cells;

static void begin(Launch* launch) {
    launched = launch;
    arrays.clear();
    cells.clear();
    shared_reads = shared_writes = 0;
}
// Arrays that share memory share what is known of it.
static void watch_arrays() {
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
static void end() { launched->shared_reads = shared_reads, launched->shared_writes = shared_writes; }
}  // namespace emulator

template <class T> Pointer<T> array_argument(void* given) {
    Array& array = *static_cast<Array*>(given);
    if (array.data == nullptr) return nullptr;
    emulator::arrays.emplace_back(new emulator::Watched{array.name, {array.count}, static_cast<char*>(array.data),
                                                        array.count, array.item_bytes, false, &array.reads, &array.writes});
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
        const Pointer<U> pointer = array_argument<U>(&array);
        emulator::cells.emplace_back(array.count);
        pointer.array->cells = emulator::cells.back().data();
        return pointer;
    }
    emulator::fail("a pointer is made from an address at which no array begins");
}
template <class T> T looked_at_atomically(const Pointer<T>& pointer) {
    if (pointer.array) {
        pointer.array->read(reinterpret_cast<const char*>(pointer.place), sizeof(T), alignof(T), true);
        pointer.array->write(reinterpret_cast<const char*>(pointer.place), sizeof(T), alignof(T), true);
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
