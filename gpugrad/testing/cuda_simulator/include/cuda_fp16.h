// Stands in for CUDA's header of the same name.
#pragma once
#include "cuda_half_types.hpp"

namespace cuda_host {
inline unsigned short pack_half(float x) {
    unsigned f = (unsigned)bits(x), sign = f >> 16 & 0x8000u, e = f >> 23 & 0xFFu, m = f & 0x7FFFFFu;
    if (e == 0xFF) return (unsigned short)(sign | 0x7C00u | (m ? 0x200u | m >> 13 : 0));
    int exponent = (int)e - 112;
    if (exponent >= 31) return (unsigned short)(sign | 0x7C00u);
    unsigned shift = 13;
    if (exponent <= 0) {  // below the smallest normal number
        if (exponent < -10) return (unsigned short)sign;
        m |= 0x800000u, shift = (unsigned)(14 - exponent), exponent = 0;
    }
    unsigned half = ((unsigned)exponent << 10) + (m >> shift), rest = m & ((1u << shift) - 1), tie = 1u << (shift - 1);
    half += rest > tie || (rest == tie && (half & 1));  // to nearest, ties to even
    return (unsigned short)(sign | half);
}
inline float unpack_half(unsigned short h) {
    int e = h >> 10 & 31, m = h & 0x3FF;
    float x = e == 31 ? (m ? NAN : INFINITY) : e ? ldexpf((float)(m | 0x400), e - 25) : ldexpf((float)m, -24);
    return h & 0x8000 ? -x : x;
}
}  // namespace cuda_host

CUDA_SHORT_FLOAT(__half, cuda_host::pack_half, cuda_host::unpack_half)
using half = __half;
using half2 = __half2;
inline float __half2float(__half x) { return float(x); }
inline __half __float2half(float x) { return __half(x); }
inline __half __float2half_rn(float x) { return __half(x); }
inline __half __double2half(double x) { return __half(x); }
inline __half __ushort_as_half(unsigned short x) { return cuda_host::unbits<__half>(x); }
inline unsigned short __half_as_ushort(__half x) { return x.bits_; }
inline __half2 __floats2half2_rn(float x, float y) { return {__half(x), __half(y)}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline float2 __half22float2(__half2 x) { return {float(x.x), float(x.y)}; }
inline __half2 __float22half2_rn(float2 x) { return {__half(x.x), __half(x.y)}; }
