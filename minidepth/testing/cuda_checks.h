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
#include <type_traits>

namespace emulator {

struct Cell;  // what is known of one number

// An array with what is known of each of its numbers.
struct Watched {
    const char* name;
    const int64_t* sizes;
    int dimensions;
    char* data;
    int64_t count;
    int item_bytes;
    bool shared;
    int64_t *reads, *writes;
    Cell* cells;

    void read(const void* address, int bytes, int alignment, bool atomic = false);
    void write(const void* address, int bytes, int alignment, bool atomic = false);
};

void begin(Launch* launch);  // then add_array for each, then watch_arrays, the kernel, and end
Watched* add_array(Array& array);
void watch_arrays();
void end();
Watched* array_at(int64_t address, int item_bytes);
Cell* new_cells(int64_t count);  // for ever
[[noreturn]] void outside(const Watched& array, const void* at, int64_t index, int size, int inner);
extern int64_t shared_reads, shared_writes;

// float for float; unsigned char and int for unsigned char.
template <class Value, bool = std::is_arithmetic_v<Value>> struct Promoted { using type = Value; };
template <class Value> struct Promoted<Value, true> { using type = decltype(+Value()); };
template <> struct Promoted<__half, false> { using type = float; };
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
        if (array) array->read(place, sizeof(T), alignof(T));
        return *place;
    }
    const Ref& operator=(Value value) const {
        if (array) array->write(place, sizeof(T), alignof(T));
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
    explicit operator size_t() const { return reinterpret_cast<size_t>(place); }
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
        if (index < 0 || index >= Size) emulator::outside(*array, place, index, Size, sizeof...(Rest));
        if constexpr (sizeof...(Rest) == 0) return Ref<T>{place + index, array};
        else return View<T, Rest...>{place + index * (Rest * ...), array};
    }
    operator Pointer<T>() const { return {place, array}; }
    Pointer<T> operator+(int64_t steps) const { return {place + steps, array}; }
};

namespace emulator {

// The memory of a shared array. On a GPU it lies where the compiler likes; unless it is asked for a multiple of 16 bytes,
// here it is none, so that float4 would be found out.
template <class T, int... Sizes> struct SharedMemory {
    static constexpr int64_t sizes[] = {Sizes..., 0}, count = (Sizes * ... * 1);
    alignas(16) char bytes[count * sizeof(T) + 16];
    Watched watched;

    SharedMemory(const char* name, bool aligned)
        : watched{name, sizes, sizeof...(Sizes), bytes + (aligned ? 0 : alignof(T)), count, sizeof(T), true, &shared_reads,
                  &shared_writes, new_cells(count)} {}
    T* begin() { return reinterpret_cast<T*>(watched.data); }
};

}  // namespace emulator

template <class T, int... Sizes> struct Shared : emulator::SharedMemory<T, Sizes...>, View<T, Sizes...> {
    Shared(const char* name, bool aligned)
        : emulator::SharedMemory<T, Sizes...>(name, aligned), View<T, Sizes...>{this->begin(), &this->watched} {}
};
template <class T> struct Shared<T> : emulator::SharedMemory<T>, Ref<T> {
    Shared(const char* name, bool aligned)
        : emulator::SharedMemory<T>(name, aligned), Ref<T>(this->begin(), &this->watched) {}
    using Ref<T>::operator=;
};

template <class T> T argument(void* given) { return *static_cast<T*>(given); }

template <class T> Pointer<T> array_argument(void* given) {
    Array& array = *static_cast<Array*>(given);
    if (array.data == nullptr) return nullptr;
    return {static_cast<T*>(array.data), emulator::add_array(array)};
}
// A pointer made from the address of an array, see optim/multi_tensor.py. The array must still be there.
template <class U> Pointer<U> pointer_cast(int64_t address) {
    if (address == 0) return nullptr;
    return {reinterpret_cast<U*>(address), emulator::array_at(address, sizeof(U))};
}
template <class T> T looked_at_atomically(const Pointer<T>& pointer) {
    if (pointer.array) {
        pointer.array->read(pointer.place, sizeof(T), alignof(T), true);
        pointer.array->write(pointer.place, sizeof(T), alignof(T), true);
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
