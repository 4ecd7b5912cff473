// Compares words of blocks on the vaes512 path. Include only in files compiled by
// pi_isa_source(vaes512).
#pragma once
#include "symmetric/block_vaes512.h"

namespace pi::vaes512 {

// `words` must come from Block4::spread. Returns block i of `value` where words[i] == number, else
// zero, without a branch.
[[gnu::always_inline]] inline Block4 where_equal(Block4 words, std::uint32_t number, Block4 value) {
  const __mmask16 equal =
      _mm512_cmpeq_epi32_mask(words.v, _mm512_set1_epi32(static_cast<int>(number)));
  return {_mm512_maskz_mov_epi32(equal, value.v)};
}

}  // namespace pi::vaes512
