// Copyright 2026 fcis_ros maintainers
// SPDX-License-Identifier: Apache-2.0

// Vectors of the outside and inside of W classes, side by side as the maps hold them. A pair is also one lane of 64 bits, outside
// in its low half: shifts and conversions of those take pairs apart, for which GCC 11 and Clang have no common shuffle.
//
// W is the number that a register holds. GCC keeps longer vectors in memory, at a fifth of the speed.
#pragma once

#include "kernels.h"

// Compiles name(arguments) for several instruction sets, as name_with<W>(arguments) with their W; the loader picks.
#if defined(__x86_64__) && defined(__GNUC__) && defined(__linux__) && !defined(FCIS_NO_CLONES)
#define FCIS_WIDTHS(name, parameters, arguments)                                        \
  __attribute__((target("avx512f"))) void name parameters { name##_with<8> arguments; } \
  __attribute__((target("avx2"))) void name parameters { name##_with<4> arguments; }    \
  __attribute__((target("default"))) void name parameters { name##_with<2> arguments; }
#else
#ifndef FCIS_WIDTH
#define FCIS_WIDTH 2  // tests have others
#endif
#define FCIS_WIDTHS(name, parameters, arguments) \
  void name parameters { name##_with<FCIS_WIDTH> arguments; }
#endif

namespace fcis {

template <int W>
struct Vectors {
  typedef float Pairs __attribute__((vector_size(8 * W), aligned(4), may_alias));
  typedef float Singles __attribute__((vector_size(4 * W), aligned(4), may_alias));  // one number per class
  typedef uint32_t SingleBits __attribute__((vector_size(4 * W)));
  typedef uint64_t Bits __attribute__((vector_size(8 * W)));
  typedef int64_t Signed __attribute__((vector_size(8 * W)));
};
template <int W>
using Pairs = typename Vectors<W>::Pairs;
template <int W>
using Singles = typename Vectors<W>::Singles;

template <int W>
FCIS_INLINE Pairs<W>& pairs_at(float* data) {
  return *reinterpret_cast<Pairs<W>*>(data);
}
template <int W>
FCIS_INLINE Singles<W>& singles_at(float* data) {
  return *reinterpret_cast<Singles<W>*>(data);
}

// One number per class in the low halves, and back.
template <int W>
FCIS_INLINE Pairs<W> to_low(Singles<W> values) {
  const auto bits = (typename Vectors<W>::SingleBits)values;
  return (Pairs<W>)__builtin_convertvector(bits, typename Vectors<W>::Bits);
}
template <int W>
FCIS_INLINE Singles<W> from_low(Pairs<W> pairs) {
  if constexpr (W == 4) return Singles<W>{pairs[0], pairs[2], pairs[4], pairs[6]};  // one instruction, the conversion takes five
  const auto bits = (typename Vectors<W>::Bits)pairs;
  return (Singles<W>)__builtin_convertvector(bits, typename Vectors<W>::SingleBits);
}

// The larger side, the outside of equals, in the low halves; the high ones have no meaning.
template <int W>
FCIS_INLINE Pairs<W> larger(Pairs<W> pairs) {
  const auto inside = (Pairs<W>)((typename Vectors<W>::Bits)pairs >> 32);
  return inside > pairs ? inside : pairs;
}

// The values in the low halves on the side that is larger, zero on the other one.
template <int W>
FCIS_INLINE Pairs<W> on_larger(Pairs<W> pairs, Pairs<W> low_values) {
  using Bits = typename Vectors<W>::Bits;
  const auto outside = (Pairs<W>)((Bits)pairs << 32);
  const auto inside_wins = (Bits)((typename Vectors<W>::Signed)(pairs > outside) >> 63);
  const Bits both = (Bits)low_values | (Bits)low_values << 32;
  return (Pairs<W>)(both & (inside_wins ^ 0xffffffffu));
}

}  // namespace fcis
