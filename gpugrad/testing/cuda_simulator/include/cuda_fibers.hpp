// The threads of a block as fibers: each runs until it ends or waits, then the next one does.
#pragma once

#include <csetjmp>
#include <csignal>
#include <link.h>
#ifndef __x86_64__
#include <ucontext.h>
#endif

namespace cuda_host {

enum Wait { RUNNING, BARRIER, WARP, DONE };
enum Operation { SYNC, SHUFFLE, BALLOT, ANY, ALL, MATCH, REDUCE_ADD, REDUCE_MIN, REDUCE_MAX, ACTIVE };
enum Status { OK, DIVERGED, STUCK, FAULT, SPIN, SHARED, TRAP, MASK, DIVISION };

struct Fiber {
    void* stack_pointer;
#ifndef __x86_64__
    ucontext_t context;
#endif
    uint3 index;
    int stack;         // of which slot of the stack memory, -1: none
    int wait;
    int line;          // of the source, where it waits
    int operation;
    unsigned mask;
    int source;        // the lane whose value it wants
    int vote;          // what it brings to a barrier with a count
    long long value, result;
};

// Layout known to kernels.py.
struct Launch {
    unsigned grid[3], block[3];
    unsigned long long shared_bytes, seed;
    char* stacks;
    unsigned long long stack_size, stack_count;
    // the report
    int status, line, other_line, thread, other_thread;
    unsigned error_block[3];
    unsigned long long fault;
};

constexpr int MAX_THREADS = 1024, WARP_SIZE = 32, CANARY_BYTES = 256;
constexpr unsigned char CANARY = 0xA5;
constexpr unsigned long long SPIN_LIMIT = 1ull << 27;

alignas(1024) static char dynamic_shared[227 * 1024 + CANARY_BYTES];  // `extern __shared__` points here
static Launch* launch;
static Fiber fibers[MAX_THREADS];
static Fiber* self;
static int threads, free_stacks[MAX_THREADS], free_count;
static unsigned long long atomics;
static void* scheduler_pointer;
#ifndef __x86_64__
static ucontext_t scheduler_context;
#endif
static sigjmp_buf escape;
static void (*body)(void**);
static void** arguments;
static unsigned long long random_state;
static uint3 block_index_;
static dim3 block_dim_, grid_dim_;

inline unsigned random_below(unsigned n) {  // xorshift64*
    random_state ^= random_state >> 12, random_state ^= random_state << 25, random_state ^= random_state >> 27;
    return (unsigned)((random_state * 0x2545F4914F6CDD1Dull >> 32) * n >> 32);
}

template <class T>
void shuffle(T* items, int n) {
    if (launch->seed)
        for (int i = n - 1; i > 0; i--) std::swap(items[i], items[random_below(i + 1)]);
}

// Switching -----------------------------------------------------------------------------------------------------

#ifdef __x86_64__
extern "C" void cuda_host_switch(void** save, void* load);
__asm__(
    ".text\n.local cuda_host_switch\n.type cuda_host_switch,@function\ncuda_host_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size cuda_host_switch, .-cuda_host_switch\n");
#endif

inline void to_scheduler() {
#ifdef __x86_64__
    cuda_host_switch(&self->stack_pointer, scheduler_pointer);
#else
    swapcontext(&self->context, &scheduler_context);
#endif
}

static void fiber_main() {
    body(arguments);
    self->wait = DONE;
    to_scheduler();
    abort();
}

inline void resume(Fiber* fiber) {
    self = fiber;
    atomics = 0;
    if (fiber->stack < 0) {
        fiber->stack = free_stacks[--free_count];
        char* top = launch->stacks + (fiber->stack + 1) * launch->stack_size;
#ifdef __x86_64__
        void** frame = (void**)top - 2;
        *frame = (void*)fiber_main;
        fiber->stack_pointer = frame - 6;
#else
        getcontext(&fiber->context);
        fiber->context.uc_stack.ss_sp = top - launch->stack_size;
        fiber->context.uc_stack.ss_size = launch->stack_size;
        makecontext(&fiber->context, fiber_main, 0);
#endif
    }
#ifdef __x86_64__
    cuda_host_switch(&scheduler_pointer, fiber->stack_pointer);
#else
    swapcontext(&scheduler_context, &fiber->context);
#endif
    if (fiber->wait == DONE) {
        free_stacks[free_count++] = fiber->stack;
        fiber->stack = -1;
    }
}

// Reporting -----------------------------------------------------------------------------------------------------

[[noreturn]] inline void fail(int status, int line, int thread, int other_line = 0, int other_thread = 0) {
    launch->status = status;
    launch->line = line, launch->thread = thread;
    launch->other_line = other_line, launch->other_thread = other_thread;
    launch->error_block[0] = block_index_.x, launch->error_block[1] = block_index_.y;
    launch->error_block[2] = block_index_.z;
    siglongjmp(escape, 1);
}

static void on_fault(int signal, siginfo_t* info, void*) {
    launch->fault = (unsigned long long)info->si_addr;
    fail(signal == SIGFPE ? DIVISION : FAULT, 0, self ? (int)(self - fibers) : 0);
}

// Waiting -------------------------------------------------------------------------------------------------------

inline int barrier(int vote, int line) {
    self->wait = BARRIER, self->line = line, self->vote = vote;
    to_scheduler();
    return (int)self->result;
}

inline long long warp(int operation, unsigned mask, long long value, int source, int line) {
    int lane = (int)(self - fibers) % WARP_SIZE;
    if (!(mask >> lane & 1)) fail(MASK, line, (int)(self - fibers));
    self->wait = WARP, self->line = line, self->operation = operation, self->mask = mask;
    self->value = value, self->source = source;
    to_scheduler();
    return self->result;
}

inline void spun() {  // a fiber that waits for another by spinning would never let it run
    if (++atomics > SPIN_LIMIT) fail(SPIN, 0, (int)(self - fibers));
}

// Lets the lanes of one warp go on that have all arrived; returns whether there were any.
inline bool release_warp(int first) {
    int count = std::min(WARP_SIZE, threads - first);
    bool released = false;
    for (int i = 0; i < count; i++) {
        Fiber& f = fibers[first + i];
        if (f.wait != WARP) continue;
        unsigned alive = 0, predicate = 0;
        bool all = true;
        for (int k = 0; k < count; k++) {
            Fiber& o = fibers[first + k];
            if (!(f.mask >> k & 1) || o.wait == DONE) continue;
            if (o.wait != WARP || o.mask != f.mask) { all = false; break; }
            if (o.operation != f.operation || o.line != f.line)
                fail(DIVERGED, f.line, first + i, o.line, first + k);
            alive |= 1u << k;
            if (o.value) predicate |= 1u << k;
        }
        if (!all) continue;
        long long total = 0, low = LLONG_MAX, high = LLONG_MIN;
        for (int k = 0; k < count; k++)
            if (alive >> k & 1) {
                long long v = fibers[first + k].value;
                total += v, low = std::min(low, v), high = std::max(high, v);
            }
        for (int k = 0; k < count; k++) {
            if (!(alive >> k & 1)) continue;
            Fiber& o = fibers[first + k];
            switch (o.operation) {
                case SHUFFLE: o.result = o.source >= 0 && alive >> o.source & 1 ? fibers[first + o.source].value : -1; break;
                case BALLOT: o.result = predicate; break;
                case ANY: o.result = predicate != 0; break;
                case ALL: o.result = predicate == alive; break;
                case ACTIVE: o.result = alive; break;
                case REDUCE_ADD: o.result = total; break;
                case REDUCE_MIN: o.result = low; break;
                case REDUCE_MAX: o.result = high; break;
                case MATCH:
                    o.result = 0;
                    for (int m = 0; m < count; m++)
                        if (alive >> m & 1 && fibers[first + m].value == o.value) o.result |= 1ll << m;
                    break;
                default: o.result = 0;
            }
        }
        for (int k = 0; k < count; k++)
            if (alive >> k & 1) fibers[first + k].wait = RUNNING;
        released = true;
    }
    return released;
}

// All threads that are left stand at a barrier or in a warp function that cannot go on.
inline bool release_barrier() {
    int line = 0, first = -1, ended = -1, votes = 0, left = 0;
    for (int i = 0; i < threads; i++) {
        Fiber& f = fibers[i];
        if (f.wait == DONE) { ended = i; continue; }
        left++;
        if (f.wait == WARP) continue;
        if (first < 0) first = i, line = f.line;
        if (f.line != line) fail(DIVERGED, line, first, f.line, i);
        votes += f.vote;
    }
    if (!left) return false;
    for (int i = 0; i < threads; i++)
        if (fibers[i].wait == WARP) fail(STUCK, fibers[i].line, i, line, first);
    if (ended >= 0) fail(DIVERGED, line, first, 0, ended);
    for (int i = 0; i < threads; i++) fibers[i].wait = RUNNING, fibers[i].result = votes;
    return true;
}

// Shared memory -------------------------------------------------------------------------------------------------

static thread_local char shared_anchor;

static int find_shared(dl_phdr_info* info, size_t, void* found) {
    char* start = (char*)info->dlpi_tls_data;
    for (int i = 0; start && i < info->dlpi_phnum; i++) {
        const auto& part = info->dlpi_phdr[i];
        if (part.p_type == PT_TLS && &shared_anchor >= start && &shared_anchor < start + part.p_memsz) {
            ((char**)found)[0] = start, ((char**)found)[1] = start + part.p_memsz;
            return 1;
        }
    }
    return 0;
}

inline void run_block(char* const range[2]) {
    memset(range[0], 0xFF, range[1] - range[0]);  // what is not written is NaN
    memset(dynamic_shared, 0xFF, launch->shared_bytes);
    memset(dynamic_shared + launch->shared_bytes, CANARY, CANARY_BYTES);
    static int order[MAX_THREADS];
    free_count = 0;
    for (int i = threads - 1; i >= 0; i--) {
        Fiber& f = fibers[i];
        f.stack = -1, f.wait = RUNNING;
        f.index = {i % block_dim_.x, i / block_dim_.x % block_dim_.y, i / (block_dim_.x * block_dim_.y)};
        order[i] = i;
        free_stacks[free_count++] = i;
    }
    for (;;) {
        shuffle(order, threads);
        for (int i = 0; i < threads; i++)
            if (fibers[order[i]].wait == RUNNING) resume(&fibers[order[i]]);
        bool released = false;
        for (int first = 0; first < threads; first += WARP_SIZE) released |= release_warp(first);
        if (!released && !release_barrier()) break;
    }
    for (int i = 0; i < CANARY_BYTES; i++)
        if ((unsigned char)dynamic_shared[launch->shared_bytes + i] != CANARY) fail(SHARED, 0, i);
}

static int run_grid(Launch* given, void (*kernel)(void**), void** values) {
    launch = given, body = kernel, arguments = values;
    self = nullptr;
    block_dim_ = dim3(given->block[0], given->block[1], given->block[2]);
    grid_dim_ = dim3(given->grid[0], given->grid[1], given->grid[2]);
    threads = block_dim_.x * block_dim_.y * block_dim_.z;
    random_state = given->seed * 0x9E3779B97F4A7C15ull + 1;
    volatile char* touched = &shared_anchor;
    (void)*touched;
    char* range[2] = {nullptr, nullptr};
    dl_iterate_phdr(find_shared, range);

    alignas(16) static char signal_stack[65536];
    stack_t alternative = {}, stack_before = {};
    alternative.ss_sp = signal_stack, alternative.ss_size = sizeof signal_stack;
    sigaltstack(&alternative, &stack_before);
    struct sigaction action = {}, segv, bus, fpe;
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, &segv), sigaction(SIGBUS, &action, &bus), sigaction(SIGFPE, &action, &fpe);

    unsigned long long blocks = (unsigned long long)grid_dim_.x * grid_dim_.y * grid_dim_.z;
    auto* order = given->seed ? (unsigned*)malloc(blocks * sizeof(unsigned)) : nullptr;
    if (order) {
        for (unsigned long long i = 0; i < blocks; i++) order[i] = (unsigned)i;
        shuffle(order, (int)blocks);
    }
    if (!sigsetjmp(escape, 1))
        for (unsigned long long i = 0; i < blocks; i++) {
            unsigned long long b = order ? order[i] : i;
            block_index_ = {(unsigned)(b % grid_dim_.x), (unsigned)(b / grid_dim_.x % grid_dim_.y),
                            (unsigned)(b / ((unsigned long long)grid_dim_.x * grid_dim_.y))};
            run_block(range);
        }
    free(order);
    sigaction(SIGSEGV, &segv, nullptr), sigaction(SIGBUS, &bus, nullptr), sigaction(SIGFPE, &fpe, nullptr);
    stack_before.ss_flags &= SS_DISABLE;
    sigaltstack(&stack_before, nullptr);
    return given->status;
}

// What a kernel takes, for the Python side: a letter and a size for each parameter.
struct Parameter { char kind; int size; };

template <class T>
constexpr Parameter parameter() {
    using U = std::remove_cv_t<std::remove_reference_t<T>>;
    if constexpr (std::is_pointer_v<U>) return {'P', (int)sizeof(U)};
    else if constexpr (std::is_same_v<U, bool>) return {'b', 1};
    else if constexpr (std::is_integral_v<U> || std::is_enum_v<U>) return {'i', (int)sizeof(U)};
    else if constexpr (std::is_floating_point_v<U>) return {'f', (int)sizeof(U)};
    else return {'s', (int)sizeof(U)};
}

template <class... A>
struct Describe {
    static constexpr int count = sizeof...(A);
    static inline const Parameter list[sizeof...(A) + 1] = {parameter<A>()..., {0, 0}};
    template <void (*F)(A...), size_t... I>
    static void call(void** values, std::index_sequence<I...>) {
        F((*(std::remove_reference_t<A>*)values[I])...);
    }
};

template <auto F>
struct Kernel;
template <class... A, void (*F)(A...)>
struct Kernel<F> {
    using D = Describe<A...>;
    static void call(void** values) { D::template call<F>(values, std::index_sequence_for<A...>{}); }
};

}  // namespace cuda_host

#define threadIdx (cuda_host::self->index)
#define blockIdx (cuda_host::block_index_)
#define blockDim (cuda_host::block_dim_)
#define gridDim (cuda_host::grid_dim_)
#define warpSize 32

#define CUDA_HOST_LAUNCHER(label, ...)                                                                           \
    extern "C" __attribute__((visibility("default"))) int cuda_host_count_##label = cuda_host::Kernel<__VA_ARGS__>::D::count; \
    extern "C" __attribute__((visibility("default"))) const void* cuda_host_list_##label() {                     \
        return cuda_host::Kernel<__VA_ARGS__>::D::list;                                                          \
    }                                                                                                            \
    extern "C" __attribute__((visibility("default"))) int cuda_host_run_##label(cuda_host::Launch* l, void** v) { \
        return cuda_host::run_grid(l, cuda_host::Kernel<__VA_ARGS__>::call, v);                                  \
    }
