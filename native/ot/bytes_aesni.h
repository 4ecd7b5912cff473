// Holds 16 bytes for transpose.h. Include only in files compiled by pi_isa_source(aesni).
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace pi::aesni {

struct Bytes {
  __m128i v;

  static Bytes load(const std::uint8_t* from) {
    return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))};
  }
  void store(std::uint8_t* to) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v); }
  static Bytes interleave_low(Bytes a, Bytes b) { return {_mm_unpacklo_epi8(a.v, b.v)}; }
  static Bytes interleave_high(Bytes a, Bytes b) { return {_mm_unpackhi_epi8(a.v, b.v)}; }

  // Swaps the bits kMask << kShift of every byte of `a` with the bits kMask of `b`.
  template <int kShift, int kMask>
  static void swap_bits(Bytes& a, Bytes& b) {
    const __m128i mask = _mm_set1_epi8(static_cast<char>(kMask));
    const __m128i t = _mm_and_si128(_mm_xor_si128(_mm_srli_epi16(a.v, kShift), b.v), mask);
    b.v = _mm_xor_si128(b.v, t);
    a.v = _mm_xor_si128(a.v, _mm_slli_epi16(t, kShift));
  }
  // Returns *this xor `other` where the 16 bytes at `mask` have ones.
  Bytes xor_masked(Bytes other, const std::uint8_t* mask) const {
    return {_mm_xor_si128(v, _mm_and_si128(other.v, load(mask).v))};
  }
};

}  // namespace pi::aesni
