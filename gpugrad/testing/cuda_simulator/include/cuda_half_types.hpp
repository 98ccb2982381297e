// A 16-bit floating type from its two conversions; arithmetic is that of float, rounded after each operation.
#pragma once
#include "cuda_host.hpp"

#define CUDA_SHORT_FLOAT(type, pack, unpack)                                                       \
    struct alignas(2) type {                                                                       \
        unsigned short bits_;                                                                      \
        type() = default;                                                                          \
        type(float x) : bits_(pack(x)) {}                                                          \
        type(double x) : bits_(pack((float)x)) {}                                                  \
        type(int x) : bits_(pack((float)x)) {}                                                     \
        type(unsigned x) : bits_(pack((float)x)) {}                                                \
        type(long long x) : bits_(pack((float)x)) {}                                               \
        operator float() const { return unpack(bits_); }                                           \
    };                                                                                             \
    inline type& operator+=(type& a, type b) { return a = type(float(a) + float(b)); }             \
    inline type& operator-=(type& a, type b) { return a = type(float(a) - float(b)); }             \
    inline type& operator*=(type& a, type b) { return a = type(float(a) * float(b)); }             \
    inline type& operator/=(type& a, type b) { return a = type(float(a) / float(b)); }             \
    inline type operator+(type a, type b) { return type(float(a) + float(b)); }                    \
    inline type operator-(type a, type b) { return type(float(a) - float(b)); }                    \
    inline type operator*(type a, type b) { return type(float(a) * float(b)); }                    \
    inline type operator/(type a, type b) { return type(float(a) / float(b)); }                    \
    inline type operator-(type a) { return type(-float(a)); }                                      \
    inline bool operator<(type a, type b) { return float(a) < float(b); }                          \
    inline bool operator>(type a, type b) { return float(a) > float(b); }                          \
    inline bool operator<=(type a, type b) { return float(a) <= float(b); }                        \
    inline bool operator>=(type a, type b) { return float(a) >= float(b); }                        \
    inline bool operator==(type a, type b) { return float(a) == float(b); }                        \
    inline bool operator!=(type a, type b) { return float(a) != float(b); }                        \
    struct alignas(4) type##2 { type x, y; };                                                      \
    inline type __hadd(type a, type b) { return a + b; }                                           \
    inline type __hsub(type a, type b) { return a - b; }                                           \
    inline type __hmul(type a, type b) { return a * b; }                                           \
    inline type __hdiv(type a, type b) { return a / b; }                                           \
    inline type __hneg(type a) { return -a; }                                                      \
    inline type __hfma(type a, type b, type c) { return type(fmaf(float(a), float(b), float(c))); } \
    inline type __hmax(type a, type b) { return type(fmaxf(float(a), float(b))); }                 \
    inline type __hmin(type a, type b) { return type(fminf(float(a), float(b))); }                 \
    inline bool __hgt(type a, type b) { return a > b; }                                            \
    inline bool __hlt(type a, type b) { return a < b; }                                            \
    inline bool __hisnan(type a) { return std::isnan(float(a)); }                                  \
    inline type hexp(type a) { return type(expf(float(a))); }                                      \
    inline type hlog(type a) { return type(logf(float(a))); }                                      \
    inline type hsqrt(type a) { return type(sqrtf(float(a))); }                                    \
    inline type hrsqrt(type a) { return type(rsqrtf(float(a))); }
