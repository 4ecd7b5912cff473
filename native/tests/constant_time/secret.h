// Marks secrets as undefined memory, so that valgrind's memcheck reports each branch and each index
// that depends on one. Messages are marked as defined before they are sent.
#pragma once
#include <valgrind/memcheck.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "symmetric/symmetric.h"

namespace pi::constant_time {

using Bytes = std::vector<std::uint8_t>;
using Words = std::vector<std::uint32_t>;

inline constexpr const char* kIsas[] = {"portable", "aesni"};  // memcheck knows no AVX-512

template <class T>
void conceal(std::vector<T>& values) {
  VALGRIND_MAKE_MEM_UNDEFINED(values.data(), values.size() * sizeof(T));
}

template <class T>
void publish(std::vector<T>& values) {
  VALGRIND_MAKE_MEM_DEFINED(values.data(), values.size() * sizeof(T));
}

// Returns pseudorandom values that are marked as secret, other ones in each call. A `first_mask`
// other than 0 selects the bits of the first value that stay, and `first_bit` is set in it.
template <class T>
std::vector<T> secret(std::size_t count, T first_mask = 0, T first_bit = 0) {
  static std::uint8_t use = 0;
  std::vector<T> out(count);
  const std::uint8_t seed[16] = {++use, 0xc7};
  prg(Isa::kPortable, seed, 0, reinterpret_cast<std::uint8_t*>(out.data()), count * sizeof(T));
  if (first_mask != 0) out[0] = static_cast<T>((out[0] & first_mask) | first_bit);
  conceal(out);
  return out;
}

// Calls `run` once per instruction set that this processor and memcheck have. Returns the exit
// code.
template <class Run>
int on_each_isa(const Run& run) {
  if (RUNNING_ON_VALGRIND == 0) {
    std::fprintf(stderr, "run this under valgrind: by itself it checks nothing\n");
    return 1;
  }
  for (const char* name : kIsas) {
    try {
      run(resolve_isa(name));
    } catch (const UnsupportedCpu&) {
      continue;
    }
  }
  return 0;
}

}  // namespace pi::constant_time
