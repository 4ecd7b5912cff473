// Carry-less products on PCLMULQDQ, one word per instruction.
#include <immintrin.h>

#include "checksum/products.h"

namespace pi {
namespace {

struct Aesni {
  static void product(std::uint64_t x, std::uint64_t y, std::uint64_t* out) {
    const __m128i a = _mm_cvtsi64_si128(static_cast<long long>(x));
    const __m128i b = _mm_cvtsi64_si128(static_cast<long long>(y));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_clmulepi64_si128(a, b, 0x00));
  }
};

__m128i load(const std::uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

__m128i word_product(const std::uint8_t* key, const std::uint8_t* data) {
  const __m128i x = _mm_xor_si128(load(data), load(key));
  return _mm_clmulepi64_si128(x, x, 0x01);
}

void add_products(const std::uint8_t* key, const std::uint8_t* data, std::size_t word_count,
                  std::uint64_t* sum) {
  __m128i sums[4] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(),
                     _mm_setzero_si128()};
  std::size_t i = 0;
  for (; i + 4 <= word_count; i += 4) {
    for (std::size_t j = 0; j < 4; ++j) {
      sums[j] = _mm_xor_si128(sums[j], word_product(key + 16 * (i + j), data + 16 * (i + j)));
    }
  }
  for (; i < word_count; ++i) {
    sums[0] = _mm_xor_si128(sums[0], word_product(key + 16 * i, data + 16 * i));
  }
  const __m128i total =
      _mm_xor_si128(_mm_xor_si128(sums[0], sums[1]), _mm_xor_si128(sums[2], sums[3]));
  auto* out = reinterpret_cast<__m128i*>(sum);
  _mm_storeu_si128(out, _mm_xor_si128(_mm_loadu_si128(out), total));
}

void add_blocks(const std::uint8_t* key, const std::uint8_t* data, std::size_t block_words,
                std::uint64_t (*sums)[2]) {
  for (std::size_t b = 0; b < kBlocksAtOnce; ++b) {
    add_products(key, data + 16 * block_words * b, block_words, sums[b]);
  }
}

}  // namespace

const ProductKernels kProductsAesni = {add_products, add_blocks, FieldTemplates<Aesni>::multiply};

}  // namespace pi
