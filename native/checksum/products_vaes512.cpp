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
  const __m512i total =
      _mm512_xor_si512(_mm512_xor_si512(sums[0], sums[1]), _mm512_xor_si512(sums[2], sums[3]));
  const __m256i half =
      _mm256_xor_si256(_mm512_castsi512_si256(total), _mm512_extracti64x4_epi64(total, 1));
  const __m128i word =
      _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  auto* out = reinterpret_cast<__m128i*>(sum);
  _mm_storeu_si128(out, _mm_xor_si128(_mm_loadu_si128(out), word));
}

}  // namespace

const ProductKernels kProductsVaes512 = {add_products, FieldTemplates<Vaes512>::multiply};

}  // namespace pi
