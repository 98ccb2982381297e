// The functions that a CUDA thread calls, on the host.
#pragma once

#include <utility>

namespace cuda_host {
template <class T>
long long bits(T value) {
    static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
    long long out = 0;
    memcpy(&out, &value, sizeof(T));
    return out;
}
template <class T>
T unbits(long long value) {
    T out;
    memcpy((void*)&out, &value, sizeof(T));
    return out;
}
inline int lane() { return (int)(self - fibers) % WARP_SIZE; }
}  // namespace cuda_host

#define CUDA_LINE int line = __builtin_LINE()

// Barriers and warps ----------------------------------------------------------------------------------------------

inline void __syncthreads(CUDA_LINE) { cuda_host::barrier(0, line); }
inline int __syncthreads_count(int p, CUDA_LINE) { return cuda_host::barrier(p != 0, line); }
inline int __syncthreads_or(int p, CUDA_LINE) { return cuda_host::barrier(p != 0, line) != 0; }
inline int __syncthreads_and(int p, CUDA_LINE) { return cuda_host::barrier(p != 0, line) == cuda_host::threads; }
inline void __syncwarp(unsigned mask = 0xffffffffu, CUDA_LINE) { cuda_host::warp(cuda_host::SYNC, mask, 0, 0, line); }
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) { cuda_host::spun(); }

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, CUDA_LINE) {
    int from = (cuda_host::lane() & ~(width - 1)) | (source & (width - 1));
    return cuda_host::unbits<T>(cuda_host::warp(cuda_host::SHUFFLE, mask, cuda_host::bits(value), from, line));
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, CUDA_LINE) {
    int lane = cuda_host::lane(), from = lane - (int)delta;
    if (from < (lane & ~(width - 1))) from = lane;
    return cuda_host::unbits<T>(cuda_host::warp(cuda_host::SHUFFLE, mask, cuda_host::bits(value), from, line));
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, CUDA_LINE) {
    int lane = cuda_host::lane(), from = lane + (int)delta;
    if (from > (lane | (width - 1))) from = lane;
    return cuda_host::unbits<T>(cuda_host::warp(cuda_host::SHUFFLE, mask, cuda_host::bits(value), from, line));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, CUDA_LINE) {
    int lane = cuda_host::lane(), from = lane ^ lanes;
    if (from > (lane | (width - 1))) from = lane;
    return cuda_host::unbits<T>(cuda_host::warp(cuda_host::SHUFFLE, mask, cuda_host::bits(value), from, line));
}
inline unsigned __ballot_sync(unsigned mask, int p, CUDA_LINE) {
    return (unsigned)cuda_host::warp(cuda_host::BALLOT, mask, p != 0, 0, line);
}
inline int __any_sync(unsigned mask, int p, CUDA_LINE) {
    return (int)cuda_host::warp(cuda_host::ANY, mask, p != 0, 0, line);
}
inline int __all_sync(unsigned mask, int p, CUDA_LINE) {
    return (int)cuda_host::warp(cuda_host::ALL, mask, p != 0, 0, line);
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value, CUDA_LINE) {
    return (unsigned)cuda_host::warp(cuda_host::MATCH, mask, cuda_host::bits(value), 0, line);
}
template <class T>
T __reduce_add_sync(unsigned mask, T value, CUDA_LINE) {
    return (T)cuda_host::warp(cuda_host::REDUCE_ADD, mask, (long long)value, 0, line);
}
template <class T>
T __reduce_min_sync(unsigned mask, T value, CUDA_LINE) {
    return (T)cuda_host::warp(cuda_host::REDUCE_MIN, mask, (long long)value, 0, line);
}
template <class T>
T __reduce_max_sync(unsigned mask, T value, CUDA_LINE) {
    return (T)cuda_host::warp(cuda_host::REDUCE_MAX, mask, (long long)value, 0, line);
}
inline unsigned __activemask() { return 1u << cuda_host::lane(); }  // any set of lanes may run together; here, one

// Atomics ---------------------------------------------------------------------------------------------------------

template <class T, class F>
T cuda_host_atomic(T* address, F change) {
    cuda_host::spun();
    T before = *address;
    *address = change(before);
    return before;
}
#define CUDA_ATOMIC(name, expression)                                                            \
    template <class T>                                                                           \
    T name(T* address, std::common_type_t<T> value) {                                            \
        return cuda_host_atomic(address, [&](T old) -> T { return expression; });                \
    }                                                                                            \
    template <class T>                                                                           \
    T name##_block(T* address, std::common_type_t<T> value) { return name(address, value); }     \
    template <class T>                                                                           \
    T name##_system(T* address, std::common_type_t<T> value) { return name(address, value); }
CUDA_ATOMIC(atomicAdd, T(old + value))
CUDA_ATOMIC(atomicSub, T(old - value))
CUDA_ATOMIC(atomicMax, old < value ? value : old)
CUDA_ATOMIC(atomicMin, value < old ? value : old)
CUDA_ATOMIC(atomicExch, value)
CUDA_ATOMIC(atomicAnd, T(old & value))
CUDA_ATOMIC(atomicOr, T(old | value))
CUDA_ATOMIC(atomicXor, T(old ^ value))
CUDA_ATOMIC(atomicInc, old >= value ? T(0) : T(old + 1))
CUDA_ATOMIC(atomicDec, old == 0 || old > value ? value : T(old - 1))
template <class T>
T atomicCAS(T* address, std::common_type_t<T> compare, std::common_type_t<T> value) {
    return cuda_host_atomic(address, [&](T old) -> T { return old == compare ? value : old; });
}

// Loads, bits, conversions ----------------------------------------------------------------------------------------

template <class T> T __ldg(const T* p) { return *p; }
template <class T> T __ldcs(const T* p) { return *p; }
template <class T> T __ldcg(const T* p) { return *p; }
template <class T> T __ldca(const T* p) { return *p; }
template <class T> void __stcs(T* p, T v) { *p = v; }
template <class T> void __stcg(T* p, T v) { *p = v; }
template <class T> void __stwt(T* p, T v) { *p = v; }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; i++) r |= (x >> i & 1u) << (31 - i);
    return r;
}
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
inline int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned s) {
    return (unsigned)(((unsigned long long)high << 32 | low) << (s & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned s) {
    return (unsigned)(((unsigned long long)high << 32 | low) >> (s & 31));
}
#define CUDA_BITS(name, to, from) \
    inline to name(from x) { return cuda_host::unbits<to>(cuda_host::bits(x)); }
CUDA_BITS(__float_as_int, int, float)
CUDA_BITS(__float_as_uint, unsigned, float)
CUDA_BITS(__int_as_float, float, int)
CUDA_BITS(__uint_as_float, float, unsigned)
CUDA_BITS(__double_as_longlong, long long, double)
CUDA_BITS(__longlong_as_double, double, long long)
inline int __float2int_rn(float x) { return (int)nearbyintf(x); }
inline int __float2int_rz(float x) { return (int)x; }
inline int __float2int_rd(float x) { return (int)floorf(x); }
inline int __float2int_ru(float x) { return (int)ceilf(x); }
inline float __int2float_rn(int x) { return (float)x; }
inline float __uint2float_rn(unsigned x) { return (float)x; }
inline float __double2float_rn(double x) { return (float)x; }

inline long long clock64() { static long long now; return ++now; }
inline long long clock() { return clock64(); }
[[noreturn]] inline void __trap() { cuda_host::fail(cuda_host::TRAP, 0, (int)(cuda_host::self - cuda_host::fibers)); }

// Mathematics -----------------------------------------------------------------------------------------------------

using std::max;
using std::min;
using std::abs;
using std::isfinite;
using std::isinf;
using std::isnan;
using std::signbit;
#define CUDA_MIXED(A, B)                                                     \
    inline std::common_type_t<A, B> max(A a, B b) { return a < b ? b : a; } \
    inline std::common_type_t<A, B> max(B a, A b) { return a < b ? b : a; } \
    inline std::common_type_t<A, B> min(A a, B b) { return b < a ? b : a; } \
    inline std::common_type_t<A, B> min(B a, A b) { return b < a ? b : a; }
CUDA_MIXED(float, double)
CUDA_MIXED(int, unsigned)
CUDA_MIXED(int, long long)
CUDA_MIXED(int, long)
CUDA_MIXED(int, unsigned long long)
CUDA_MIXED(float, int)
CUDA_MIXED(double, int)
inline float max(float a, float b) { return fmaxf(a, b); }
inline float min(float a, float b) { return fminf(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline double min(double a, double b) { return fmin(a, b); }

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float rcbrtf(float x) { return 1.0f / cbrtf(x); }
inline float sinpif(float x) { return sinf(3.14159265358979f * x); }
inline float cospif(float x) { return cosf(3.14159265358979f * x); }
inline double sinpi(double x) { return std::sin(3.14159265358979323846 * x); }
inline double cospi(double x) { return std::cos(3.14159265358979323846 * x); }
inline void sincospif(float x, float* s, float* c) { *s = sinpif(x), *c = cospif(x); }
inline float normcdff(float x) { return 0.5f * erfcf(-x * 0.70710678f); }
inline double normcdf(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752440); }
inline float saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }
inline float __saturatef(float x) { return saturatef(x); }
inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return powf(10.0f, x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __log10f(float x) { return log10f(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanf(float x) { return tanf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __frsqrt_rn(float x) { return rsqrtf(x); }
inline float __fsqrt_rn(float x) { return sqrtf(x); }

// Vectors ---------------------------------------------------------------------------------------------------------

#define CUDA_VECTORS(T, name)                                                                    \
    struct alignas(sizeof(T)) name##1 { T x; };                                                  \
    struct alignas(2 * sizeof(T)) name##2 { T x, y; };                                           \
    struct name##3 { T x, y, z; };                                                               \
    struct alignas(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) name##4 { T x, y, z, w; };           \
    inline name##1 make_##name##1(T x) { return {x}; }                                           \
    inline name##2 make_##name##2(T x, T y) { return {x, y}; }                                   \
    inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }                           \
    inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
CUDA_VECTORS(signed char, char)
CUDA_VECTORS(unsigned char, uchar)
CUDA_VECTORS(short, short)
CUDA_VECTORS(unsigned short, ushort)
CUDA_VECTORS(int, int)
CUDA_VECTORS(long long, longlong)
CUDA_VECTORS(unsigned long long, ulonglong)
CUDA_VECTORS(float, float)
CUDA_VECTORS(double, double)
struct alignas(4) uint1 { unsigned x; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
inline uint1 make_uint1(unsigned x) { return {x}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
