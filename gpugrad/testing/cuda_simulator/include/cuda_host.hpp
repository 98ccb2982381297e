// CUDA C++ on the host: what a kernel's source needs in order to be compiled by g++ and run thread by thread.
//
// cuda_fibers.hpp runs the threads of a block as fibers, so barriers and warp functions really wait;
// cuda_device.hpp has the functions that a thread calls. The Python side is ../compiler.py and ../kernels.py.
#pragma once

#include <algorithm>
#include <cassert>
#include <cfloat>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <math.h>
#include <type_traits>

#define __global__ __attribute__((noinline, visibility("default")))
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __shared__ static thread_local  // one copy for the block: its threads are fibers of one thread of the host
#define __constant__ static
#define __managed__
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__
#define __align__(n) alignas(n)
#define CUDA_SIMULATOR 1  // and neither __CUDACC__ nor __CUDA_ARCH__: there is no PTX here

struct uint3 { unsigned x, y, z; };
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

#include "cuda_fibers.hpp"
#include "cuda_device.hpp"
