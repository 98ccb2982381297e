"""How dtypes are stored and computed with in CUDA sources."""

from __future__ import annotations

STORAGE = {
    "float16": "half_bits", "bfloat16": "bfloat_bits", "float32": "float", "float64": "double",
    "int32": "int", "int64": "long long", "bool": "bool",
}  # fmt: skip
"""The type of an element in memory. The short floats are structs of their bits: no header is needed for them."""

COMPUTE = {"float16": "float", "bfloat16": "float", "float32": "float", "float64": "double"}
"""The type of the arithmetic: the short types are computed with in float32, and rounded once when stored."""

SIZES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "int32": 4, "int64": 8, "bool": 1}

PRELUDE = """
struct half_bits { unsigned short bits; };
struct bfloat_bits { unsigned short bits; };

#if defined(__CUDACC_RTC__) && !defined(CUDA_SIMULATOR)
__device__ __forceinline__ unsigned int bits_of(float x) { return __float_as_uint(x); }
__device__ __forceinline__ float from_bits(unsigned int u) { return __uint_as_float(u); }
__device__ __forceinline__ float load(half_bits h) {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(h.bits));
    return x;
}
__device__ __forceinline__ void store(half_bits& h, float x) {
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h.bits) : "f"(x));
}
#else
#include <string.h>
inline unsigned int bits_of(float x) { unsigned int u; memcpy(&u, &x, 4); return u; }
inline float from_bits(unsigned int u) { float x; memcpy(&x, &u, 4); return x; }
inline float load(half_bits h) { _Float16 x; memcpy(&x, &h.bits, 2); return (float)x; }
inline void store(half_bits& h, float x) { const _Float16 y = (_Float16)x; memcpy(&h.bits, &y, 2); }
#endif

__device__ __forceinline__ float load(bfloat_bits h) { return from_bits((unsigned int)h.bits << 16); }
__device__ __forceinline__ void store(bfloat_bits& h, float x) {  // to nearest, ties to even; a NaN stays one
    const unsigned int u = bits_of(x);
    h.bits = x != x ? (u >> 16) | 64 : (u + 0x7fff + ((u >> 16) & 1)) >> 16;
}
template <typename S> __device__ __forceinline__ S load(S x) { return x; }
template <typename S, typename C> __device__ __forceinline__ void store(S& s, C x) { s = (S)x; }

template <typename T> __device__ __forceinline__ T gg_maximum(T a, T b) { return a != a || a > b ? a : b; }
template <typename T> __device__ __forceinline__ T gg_minimum(T a, T b) { return a != a || a < b ? a : b; }
template <typename T> __device__ __forceinline__ T gg_square(T a) { return a * a; }
template <typename T> __device__ __forceinline__ T gg_sign(T a) { return a > T(0) ? T(1) : a < T(0) ? T(-1) : a; }
template <typename S, typename T> __device__ __forceinline__ S gg_view(T a) {
    union { T from; S to; } bits;
    bits.from = a;
    return bits.to;
}
__device__ __forceinline__ float gg_remainder(float a, float b) {
    const float r = fmodf(a, b);
    return r == 0 ? copysignf(r, b) : (r < 0) != (b < 0) ? r + b : r;
}
__device__ __forceinline__ double gg_remainder(double a, double b) {
    const double r = fmod(a, b);
    return r == 0 ? copysign(r, b) : (r < 0) != (b < 0) ? r + b : r;
}
template <typename T> __device__ __forceinline__ T gg_remainder(T a, T b) {
    const T r = b == 0 ? 0 : a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
__device__ __forceinline__ float gg_floor_divide(float a, float b) {
    return b == 0 ? a / b : rintf((a - gg_remainder(a, b)) / b);
}
__device__ __forceinline__ double gg_floor_divide(double a, double b) {
    return b == 0 ? a / b : rint((a - gg_remainder(a, b)) / b);
}
template <typename T> __device__ __forceinline__ T gg_floor_divide(T a, T b) {
    return b == 0 ? 0 : (a - gg_remainder(a, b)) / b;
}
"""
"""``load`` and ``store`` of every storage type, on a GPU and with the same bits on the host; and what C++ lacks.

A NaN stays one in ``gg_maximum`` and ``gg_minimum``, as in NumPy; ``fmax`` and ``fmin`` drop it.
"""
