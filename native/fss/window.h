// Computes with the window of a share: bits truncate_bits to window_bits.
#pragma once
#include "fss/layout.h"
#include "symmetric/lanes.h"

namespace pi::fss {

// It is a template so that files compiled with different flags share no symbol.
template <class Block4>
struct Window {
  explicit Window(const Spec& spec)
      : up(31 - spec.window_bits),
        down(up + spec.truncate_bits),
        sign_shift(spec.truncate_bits + spec.sign_drop),
        wrap(down == 0 ? 0 : 1u << (32 - down)) {}

  // Returns the window as a signed number, mod 2^32.
  std::uint32_t of(std::uint32_t share) const {
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(share << up) >> down);
  }
  // Returns c on the bits of the sign table's index. Higher bits are no part of it.
  Words sign_limit(const Words& v, bool carry_in_index) const {
    Words out;
    for (int lane = 0; lane < kLanes; ++lane) {
      out.at[lane] = ~(v.at[lane] >> sign_shift) << static_cast<int>(carry_in_index);
    }
    return out;
  }

  int up;
  int down;
  int sign_shift;
  std::uint32_t wrap;  // 2^M, M bits in the window
};

// Returns NOT v: the low bits of u and v carry if those of u are greater.
template <class Block4>
Words carry_limit(const Words& v) {
  Words out;
  for (int lane = 0; lane < kLanes; ++lane) out.at[lane] = ~v.at[lane];
  return out;
}

}  // namespace pi::fss
