// Compares words of blocks on the portable path.
#pragma once
#include "symmetric/block_portable.h"

namespace pi::portable {

// `words` must come from Block4::spread. Returns block i of `value` where words[i] == number, else
// zero, without a branch.
[[gnu::always_inline]] inline Block4 where_equal(Block4 words, std::uint32_t number, Block4 value) {
  const std::uint64_t wanted = number * 0x0000000100000001ull;
  for (int i = 0; i < 8; ++i) {
    const std::uint64_t other = words.v[i] ^ wanted;  // zero, or two equal halves
    value.v[i] &= (((other & 0xffffffffu) - 1) >> 63) * ~std::uint64_t{0};
  }
  return value;
}

}  // namespace pi::portable
