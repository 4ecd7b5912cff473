// Compares words of blocks on the aesni path. Include only in files compiled by
// pi_isa_source(aesni).
#pragma once
#include "symmetric/block_aesni.h"

namespace pi::aesni {

// `words` must come from Block4::spread. Returns block i of `value` where words[i] == number, else
// zero, without a branch.
[[gnu::always_inline]] inline Block4 where_equal(Block4 words, std::uint32_t number, Block4 value) {
  const __m128i wanted = _mm_set1_epi32(static_cast<int>(number));
  for (int i = 0; i < 4; ++i) {
    value.v[i] = _mm_and_si128(value.v[i], _mm_cmpeq_epi32(words.v[i], wanted));
  }
  return value;
}

}  // namespace pi::aesni
