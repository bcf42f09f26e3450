// CUDA's numbers of two bytes for the emulator, under the name of CUDA's own header. With 11 bits of precision they reach
// from 6e-8 to 65504; what is larger becomes infinite. Nothing is computed in them: they turn into float and back.
#pragma once
#include <type_traits>

struct __half {
    unsigned short bits;

    __half() = default;
    __half(float value) : bits(rounded(value)) {}
    operator float() const {
        const int exponent = bits >> 10 & 31, digits = bits & 1023;
        const float size = exponent == 31 ? (digits ? NAN : INFINITY)
                                          : ldexpf(exponent > 0 ? 1024 + digits : digits, max(exponent, 1) - 25);
        return bits & 0x8000 ? -size : size;
    }

    // To the nearest, and of two that are as near to the even one.
    static unsigned short rounded(float value) {
        const int sign = std::signbit(value) ? 0x8000 : 0;
        const float size = std::abs(value);
        if (std::isnan(value)) return sign | 0x7e00;
        if (size >= 65520) return sign | 0x7c00;
        int exponent = -13;  // size < 2^exponent
        if (size >= 6.103515625e-5f) frexpf(size, &exponent);
        const int count = lrintf(ldexpf(size, 11 - exponent));  // 1024 to 2048 steps; below 2^-14 fewer
        return sign | (((exponent + 13) << 10) + count);
    }
};

// As in CUDA without its operators of half, so that nobody computes in it by accident.
#define MINIDEPTH_REFUSED(op)                                                                                          \
    template <class A, class B, bool half = std::is_same_v<A, __half> || std::is_same_v<B, __half>>                    \
    std::enable_if_t<half> operator op(A, B) = delete;
MINIDEPTH_REFUSED(+) MINIDEPTH_REFUSED(-) MINIDEPTH_REFUSED(*) MINIDEPTH_REFUSED(/) MINIDEPTH_REFUSED(<)
MINIDEPTH_REFUSED(>) MINIDEPTH_REFUSED(<=) MINIDEPTH_REFUSED(>=) MINIDEPTH_REFUSED(==) MINIDEPTH_REFUSED(!=)
#undef MINIDEPTH_REFUSED

inline __half __float2half(float value) { return value; }
inline float __half2float(__half value) { return value; }
