// Carry-less products on VPCLMULQDQ, four words per instruction.
#include <immintrin.h>

#include "checksum/products.h"

namespace pi {
namespace {

struct Vaes512 {
  static void product(std::uint64_t x, std::uint64_t y, std::uint64_t* out) {
    const __m128i a = _mm_cvtsi64_si128(static_cast<long long>(x));
    const __m128i b = _mm_cvtsi64_si128(static_cast<long long>(y));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_clmulepi64_si128(a, b, 0x00));
  }
};

__m512i products(__m512i key, __m512i data) {
  const __m512i x = _mm512_xor_si512(data, key);
  return _mm512_clmulepi64_epi128(x, x, 0x01);
}

void add_to(std::uint64_t* sum, __m512i total) {
  const __m256i half =
      _mm256_xor_si256(_mm512_castsi512_si256(total), _mm512_extracti64x4_epi64(total, 1));
  const __m128i word =
      _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  auto* out = reinterpret_cast<__m128i*>(sum);
  _mm_storeu_si128(out, _mm_xor_si128(_mm_loadu_si128(out), word));
}

void add_products(const std::uint8_t* key, const std::uint8_t* data, std::size_t word_count,
                  std::uint64_t* sum) {
  __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                     _mm512_setzero_si512()};
  std::size_t i = 0;
  for (; i + 16 <= word_count; i += 16) {
    for (std::size_t j = 0; j < 4; ++j) {
      const std::size_t at = 16 * i + 64 * j;
      sums[j] = _mm512_xor_si512(
          sums[j], products(_mm512_loadu_si512(key + at), _mm512_loadu_si512(data + at)));
    }
  }
  for (; i < word_count; i += 4) {
    // Places that are not loaded are zero in key and data, and so is their product.
    const std::size_t left = word_count - i < 4 ? word_count - i : 4;
    const auto mask = static_cast<__mmask8>((1u << 2 * left) - 1);
    sums[0] = _mm512_xor_si512(sums[0], products(_mm512_maskz_loadu_epi64(mask, key + 16 * i),
                                                 _mm512_maskz_loadu_epi64(mask, data + 16 * i)));
  }
  add_to(sum,
         _mm512_xor_si512(_mm512_xor_si512(sums[0], sums[1]), _mm512_xor_si512(sums[2], sums[3])));
}

// One load of the key serves all blocks: data that does not begin at a multiple of 64 bytes costs
// two loads for each vector, and loads bound the loop then.
void add_blocks(const std::uint8_t* key, const std::uint8_t* data, std::size_t block_words,
                std::uint64_t (*sums)[2]) {
  __m512i even[kBlocksAtOnce];
  __m512i odd[kBlocksAtOnce];
  for (std::size_t b = 0; b < kBlocksAtOnce; ++b) even[b] = odd[b] = _mm512_setzero_si512();
  const std::size_t block_bytes = 16 * block_words;
  for (std::size_t at = 0; at < block_bytes; at += 128) {
    const __m512i even_key = _mm512_loadu_si512(key + at);
    const __m512i odd_key = _mm512_loadu_si512(key + at + 64);
    for (std::size_t b = 0; b < kBlocksAtOnce; ++b) {
      const std::uint8_t* from = data + block_bytes * b + at;
      even[b] = _mm512_xor_si512(even[b], products(even_key, _mm512_loadu_si512(from)));
      odd[b] = _mm512_xor_si512(odd[b], products(odd_key, _mm512_loadu_si512(from + 64)));
    }
  }
  for (std::size_t b = 0; b < kBlocksAtOnce; ++b) {
    add_to(sums[b], _mm512_xor_si512(even[b], odd[b]));
  }
}

}  // namespace

const ProductKernels kProductsVaes512 = {add_products, add_blocks,
                                         FieldTemplates<Vaes512>::multiply};

}  // namespace pi
