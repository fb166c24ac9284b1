// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Runs the CUDA sources of csrc/cuda on the host, for tests: the small subset of the language that they use, as C++17.
//
// Blocks run one after the other, the threads of a block as fibers that change at barriers and warp exchanges. What a device
// would leave undefined is made visible: a barrier or an exchange that some threads never reach fails the launch with a message,
// dynamic shared memory starts as garbage and ends where it ends (AddressSanitizer), and the order of threads and blocks can be
// changed, which brings out missing barriers. Lanes advance one by one: nothing is in lockstep unless it is synchronised.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__ static  // blocks do not overlap in time
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

using cudaStream_t = struct CUstream_st*;
enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorInvalidConfiguration = 9, cudaErrorLaunchFailure = 719 };

namespace fcis::emulator {

enum class State { ready, barrier, exchange, done };

struct Thread {
  std::unique_ptr<char[]> stack;
  jmp_buf context;
  bool started = false;
  State state = State::done;
  dim3 index;
  const char* where = "";  // what it waits in
  int line = 0;
  unsigned mask = 0;  // lanes that take part in the exchange
  uint64_t given = 0, taken[32];
};

struct Machine {
  static constexpr size_t kStack = 1 << 18, kShared = 48 << 10;  // shared memory that every device has
  std::vector<Thread> threads = std::vector<Thread>(1024);
  Thread* current = nullptr;
  jmp_buf context;  // of the scheduler
  std::function<void()> body;
  char* shared = nullptr;
  std::mt19937 random;
  unsigned order = 0;  // of threads, warps and blocks: 0 ascending, 1 descending, else shuffled with this seed
  cudaError_t error = cudaSuccess;
  std::string message;
};
inline Machine machine;

inline void fail(cudaError_t error, const std::string& message) {
  std::fprintf(stderr, "emulator: %s\n", message.c_str());
  machine.error = error;
  machine.message = message;
}

// setjmp and longjmp change fibers without the system calls of swapcontext, which only starts them.
inline void leave() {
  if (_setjmp(machine.current->context) == 0) _longjmp(machine.context, 1);
}

inline void live() {
  for (;;) {
    machine.body();
    machine.current->state = State::done;
    leave();
  }
}

inline void resume(Thread& thread) {
  machine.current = &thread;
  threadIdx = thread.index;
  if (_setjmp(machine.context) != 0) return;
  if (thread.started) _longjmp(thread.context, 1);
  thread.started = true;
  thread.stack.reset(new char[Machine::kStack]);
  ucontext_t context, unused;
  getcontext(&context);
  context.uc_stack.ss_sp = thread.stack.get();
  context.uc_stack.ss_size = Machine::kStack;
  context.uc_link = nullptr;
  makecontext(&context, live, 0);
  swapcontext(&unused, &context);
}

inline void wait(State state, const char* where, int line) {
  machine.current->state = state;
  machine.current->where = where;
  machine.current->line = line;
  leave();
}

// The values that the lanes of the mask give, by lane; lanes outside it read as garbage.
inline const uint64_t* exchange(unsigned mask, uint64_t value, const char* where) {
  machine.current->given = value;
  machine.current->mask = mask;
  wait(State::exchange, where, 0);
  return machine.current->taken;
}

inline unsigned lane() { return static_cast<unsigned>(machine.current - machine.threads.data()) % 32; }

inline std::vector<unsigned> arrange(unsigned count) {
  std::vector<unsigned> order(count);
  for (unsigned i = 0; i < count; ++i) order[i] = machine.order == 1 ? count - 1 - i : i;
  if (machine.order > 1) std::shuffle(order.begin(), order.end(), machine.random);
  return order;
}

// Lets every group of lanes go that is complete in the same exchange; false if there is none.
inline bool release_exchanges(Thread* warp, unsigned lanes) {
  bool any = false;
  for (unsigned i = 0; i < lanes; ++i) {
    if (warp[i].state != State::exchange) continue;
    const unsigned present = lanes == 32 ? ~0u : (1u << lanes) - 1, group = warp[i].mask & present;
    bool complete = group >> i & 1;
    for (unsigned j = 0; j < lanes; ++j) {
      if (!(group >> j & 1)) continue;
      complete &= warp[j].state == State::exchange && warp[j].mask == warp[i].mask && !std::strcmp(warp[j].where, warp[i].where);
    }
    if (!complete) continue;
    any = true;
    for (unsigned j = 0; j < lanes; ++j) {
      if (!(group >> j & 1)) continue;
      warp[j].state = State::ready;
      for (unsigned k = 0; k < 32; ++k) warp[j].taken[k] = group >> k & 1 ? warp[k].given : 0xdeadbeefdeadbeef;
    }
  }
  return any;
}

inline void run_warp(Thread* warp, unsigned lanes) {
  do {
    for (unsigned i : arrange(lanes)) {
      if (warp[i].state == State::ready) resume(warp[i]);
    }
  } while (release_exchanges(warp, lanes));
}

// Runs the threads of one block to their end; false if they wait for each other.
inline bool run_block(const char* kernel, unsigned count) {
  const auto begin = machine.threads.begin(), end = begin + count;
  for (unsigned i = 0; i < count; ++i) {
    begin[i].index = dim3(i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y);
    begin[i].state = State::ready;
  }
  for (;;) {
    for (unsigned w : arrange((count + 31) / 32)) run_warp(&begin[w * 32], std::min(32u, count - w * 32));
    if (std::all_of(begin, end, [](const Thread& t) { return t.state == State::done; })) return true;
    if (!std::all_of(begin, end, [&](const Thread& t) { return t.state == State::barrier && t.line == begin->line; })) break;
    for (auto t = begin; t != end; ++t) t->state = State::ready;
  }
  std::map<std::string, int> waiting;
  for (auto t = begin; t != end; ++t) {
    ++waiting[t->state == State::done
                  ? "have returned"
                  : "wait in " + std::string(t->where) + (t->line ? " of line " + std::to_string(t->line) : "")];
    t->started = false;  // never resumed
  }
  std::string text = std::string(kernel) + ": threads of block (" + std::to_string(blockIdx.x) + ", " +
                     std::to_string(blockIdx.y) + ", " + std::to_string(blockIdx.z) + ") diverge:";
  for (const auto& [barrier, number] : waiting) text += " " + std::to_string(number) + " " + barrier + ",";
  text.pop_back();
  fail(cudaErrorLaunchFailure, text);
  return false;
}

inline void launch(const char* kernel, dim3 grid, dim3 block, size_t shared, std::function<void()> body) {
  if (machine.error != cudaSuccess) return;
  const uint64_t count = uint64_t{block.x} * block.y * block.z, blocks = uint64_t{grid.x} * grid.y * grid.z;
  if (count == 0 || count > 1024 || block.z > 64 || blocks == 0 || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535 ||
      shared > Machine::kShared) {
    return fail(cudaErrorInvalidConfiguration, std::string(kernel) + ": grid " + std::to_string(grid.x) + " x " +
                                                   std::to_string(grid.y) + " x " + std::to_string(grid.z) + ", " +
                                                   std::to_string(count) + " threads, " + std::to_string(shared) + " bytes");
  }
  machine.body = std::move(body);
  machine.random.seed(machine.order);
  gridDim = grid;
  blockDim = block;
  for (unsigned b : arrange(static_cast<unsigned>(blocks))) {
    blockIdx = dim3(b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y);
    const std::unique_ptr<char[]> memory(new char[shared]);
    std::memset(memory.get(), 0xa5, shared);
    machine.shared = memory.get();
    if (!run_block(kernel, static_cast<unsigned>(count))) return;
  }
}

template <class T>
uint64_t pack(T value) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T>
T shuffle(unsigned mask, T value, unsigned source, int width, bool inside, const char* where) {
  const uint64_t bits = exchange(mask, pack(value), where)[inside ? lane() / width * width + source % width : lane()];
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
template <class T, class Change>
T change(T* target, Change changed) {
  const T old = *target;
  *target = changed(old);
  return old;
}
template <class To, class From>
To cast(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To result;
  std::memcpy(&result, &value, sizeof(To));
  return result;
}

// Used by Python: the order of threads, and what went wrong last.
extern "C" __attribute__((used)) inline void emulator_order(unsigned order) { machine.order = order; }
extern "C" __attribute__((used)) inline const char* emulator_message() { return machine.message.c_str(); }

}  // namespace fcis::emulator

#define FCIS_LAUNCH(kernel, grid, block, bytes, stream, ...) \
  ((void)(stream), fcis::emulator::launch(#kernel, grid, block, bytes, [&] { (kernel)(__VA_ARGS__); }))
#define FCIS_SHARED(type, name) type* const name = reinterpret_cast<type*>(fcis::emulator::machine.shared)

#define __syncthreads() fcis::emulator::wait(fcis::emulator::State::barrier, "__syncthreads", __LINE__)
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  return fcis::emulator::shuffle(mask, value, source, width, true, "__shfl_sync");
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int other, int width = 32) {
  const unsigned source = fcis::emulator::lane() % width ^ other;
  return fcis::emulator::shuffle(mask, value, source, width, source < static_cast<unsigned>(width), "__shfl_xor_sync");
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const unsigned lane = fcis::emulator::lane() % width;
  return fcis::emulator::shuffle(mask, value, lane - delta, width, lane >= delta, "__shfl_up_sync");
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const uint64_t* votes = fcis::emulator::exchange(mask, predicate != 0, "__ballot_sync");
  unsigned bits = 0;
  for (unsigned i = 0; i < 32; ++i) bits |= (votes[i] == 1 ? 1u : 0u) << i;
  return bits;
}

#define FCIS_ATOMIC(name, expression)                                    \
  template <class T, class U>                                            \
  T name(T* p, U v) {                                                    \
    return fcis::emulator::change(p, [=](T old) { return expression; }); \
  }
FCIS_ATOMIC(atomicAdd, old + static_cast<T>(v))
FCIS_ATOMIC(atomicOr, old | static_cast<T>(v))
FCIS_ATOMIC(atomicMin, std::min(old, static_cast<T>(v)))
FCIS_ATOMIC(atomicMax, std::max(old, static_cast<T>(v)))

using std::isfinite;
using std::max;
using std::min;
inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __ffsll(long long v) { return __builtin_ffsll(v); }
inline int __clz(int v) { return v ? __builtin_clz(v) : 32; }
inline unsigned __float_as_uint(float v) { return fcis::emulator::cast<unsigned>(v); }
inline float __uint_as_float(unsigned v) { return fcis::emulator::cast<float>(v); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }

// 16-bit floats: only conversions, rounded to nearest even as on a device.
struct __half {
  uint16_t bits;
};
struct __nv_bfloat16 {
  uint16_t bits;
};
inline float __bfloat162float(__nv_bfloat16 v) { return __uint_as_float(unsigned{v.bits} << 16); }
inline __nv_bfloat16 __float2bfloat16(float v) {
  const unsigned bits = __float_as_uint(v);
  return {static_cast<uint16_t>(v != v ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
inline float __half2float(__half v) {
  const int exponent = v.bits >> 10 & 31, fraction = v.bits & 1023;
  const float size = exponent == 31 ? (fraction ? NAN : INFINITY)
                     : exponent > 0 ? std::ldexp(1024.0f + static_cast<float>(fraction), exponent - 25)
                                    : std::ldexp(static_cast<float>(fraction), -24);
  return v.bits & 0x8000 ? -size : size;
}
inline __half __float2half(float v) {
  const float size = std::fabs(v);
  const unsigned sign = std::signbit(v) ? 0x8000 : 0;
  if (v != v) return {0x7fff};
  if (size >= 65520.0f) return {static_cast<uint16_t>(sign | 0x7c00)};
  const int exponent = size < 0x1p-14f ? -14 : std::ilogb(size);
  const unsigned units = static_cast<unsigned>(std::nearbyint(std::ldexp(size, 10 - exponent)));  // 0..2048, a carry goes on up
  return {static_cast<uint16_t>(sign | (((exponent + 14) << 10) + units))};
}

inline cudaError_t cudaGetLastError() {
  const cudaError_t error = fcis::emulator::machine.error;
  fcis::emulator::machine.error = cudaSuccess;
  return error;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t) {
  if (bytes) std::memset(to, value, bytes);
  return cudaSuccess;
}
