// Stands in for CUDA's header of the same name.
#pragma once
#include "cuda_half_types.hpp"

namespace cuda_host {
inline unsigned short pack_bfloat(float x) {
    unsigned f = (unsigned)bits(x);
    if (std::isnan(x)) return (unsigned short)(f >> 16 | 0x40u);
    return (unsigned short)((f + 0x7FFFu + (f >> 16 & 1u)) >> 16);  // to nearest, ties to even
}
inline float unpack_bfloat(unsigned short h) { return unbits<float>((long long)h << 16); }
}  // namespace cuda_host

CUDA_SHORT_FLOAT(__nv_bfloat16, cuda_host::pack_bfloat, cuda_host::unpack_bfloat)
using nv_bfloat16 = __nv_bfloat16;
using nv_bfloat162 = __nv_bfloat162;
inline float __bfloat162float(__nv_bfloat16 x) { return float(x); }
inline __nv_bfloat16 __float2bfloat16(float x) { return __nv_bfloat16(x); }
inline __nv_bfloat16 __float2bfloat16_rn(float x) { return __nv_bfloat16(x); }
inline __nv_bfloat16 __double2bfloat16(double x) { return __nv_bfloat16(x); }
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short x) { return cuda_host::unbits<__nv_bfloat16>(x); }
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits_; }
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) { return {__nv_bfloat16(x), __nv_bfloat16(y)}; }
inline float2 __bfloat1622float2(__nv_bfloat162 x) { return {float(x.x), float(x.y)}; }
