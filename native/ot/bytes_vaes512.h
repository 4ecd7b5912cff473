// Holds 64 bytes for transpose.h. Include only in files compiled by pi_isa_source(vaes512).
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace pi::vaes512 {

// Implements the interface that bytes_aesni.h documents.
struct Bytes {
  __m512i v;

  static constexpr std::size_t kWidth = 64;

  static Bytes load(const std::uint8_t* from) { return {_mm512_loadu_si512(from)}; }
  void store_lanes(std::uint8_t* to, std::size_t stride) const {
    const auto at = [&](std::size_t lane) {
      return reinterpret_cast<__m128i*>(to + lane * stride);
    };
    _mm_storeu_si128(at(0), _mm512_castsi512_si128(v));
    _mm_storeu_si128(at(1), _mm512_extracti32x4_epi32(v, 1));
    _mm_storeu_si128(at(2), _mm512_extracti32x4_epi32(v, 2));
    _mm_storeu_si128(at(3), _mm512_extracti32x4_epi32(v, 3));
  }
  static Bytes interleave_low(Bytes a, Bytes b) { return {_mm512_unpacklo_epi8(a.v, b.v)}; }
  static Bytes interleave_high(Bytes a, Bytes b) { return {_mm512_unpackhi_epi8(a.v, b.v)}; }

  template <int kShift, int kMask>
  static void swap_bits(Bytes& a, Bytes& b) {
    const __m512i mask = _mm512_set1_epi8(static_cast<char>(kMask));
    const __m512i t = _mm512_and_si512(_mm512_xor_si512(_mm512_srli_epi16(a.v, kShift), b.v), mask);
    b.v = _mm512_xor_si512(b.v, t);
    a.v = _mm512_xor_si512(a.v, _mm512_slli_epi16(t, kShift));
  }
};

}  // namespace pi::vaes512
