// Holds four 128-bit blocks on the VAES path. Include only in files compiled by
// pi_isa_source(vaes512).
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace pi::vaes512 {

// Implements the interface that block_aesni.h documents.
struct Block4 {
  __m512i v;

  static constexpr int kInFlight = 8;

  static Block4 load(const void* from) { return {_mm512_loadu_si512(from)}; }
  static Block4 broadcast(const void* from) {
    return {_mm512_broadcast_i32x4(_mm_loadu_si128(static_cast<const __m128i*>(from)))};
  }
  static Block4 of_halves(std::uint64_t high, std::uint64_t low) {
    return {_mm512_broadcast_i32x4(
        _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low)))};
  }
  static Block4 zero() { return {_mm512_setzero_si512()}; }
  void store(void* to) const { _mm512_storeu_si512(to, v); }

  friend Block4 operator^(Block4 a, Block4 b) { return {_mm512_xor_si512(a.v, b.v)}; }
  friend Block4 operator&(Block4 a, Block4 b) { return {_mm512_and_si512(a.v, b.v)}; }

  static Block4 of_low_halves(const void* from) {
    return {_mm512_maskz_expand_epi64(
        0x55, _mm512_castsi256_si512(_mm256_loadu_si256(static_cast<const __m256i*>(from))))};
  }
  void store_low_halves(void* to) const {
    _mm256_storeu_si256(static_cast<__m256i*>(to),
                        _mm512_castsi512_si256(_mm512_maskz_compress_epi64(0x55, v)));
  }
  Block4 halves_left(int bits) const { return {_mm512_sll_epi64(v, _mm_cvtsi32_si128(bits))}; }
  Block4 halves_right(int bits) const { return {_mm512_srl_epi64(v, _mm_cvtsi32_si128(bits))}; }
  Block4 halves_swapped() const { return {_mm512_shuffle_epi32(v, _MM_PERM_BADC)}; }
  static Block4 high_halves(Block4 a, Block4 b) { return {_mm512_unpackhi_epi64(a.v, b.v)}; }
  Block4 words_rotated() const { return {_mm512_shuffle_epi32(v, _MM_PERM_CBAD)}; }

  std::uint32_t low_bits() const {
    const __m128i low = _mm512_castsi512_si128(_mm512_maskz_compress_epi32(0x1111, v));
    return static_cast<std::uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(_mm_slli_epi32(low, 31))));
  }
  Block4 color_mask() const {
    const __m512i low = _mm512_shuffle_epi32(v, _MM_PERM_AAAA);
    return {_mm512_srai_epi32(_mm512_slli_epi32(low, 31), 31)};
  }
  Block4 sigma() const {
    const __m512i swapped = _mm512_shuffle_epi32(v, _MM_PERM_BADC);
    return {_mm512_xor_si512(swapped, _mm512_unpackhi_epi64(_mm512_setzero_si512(), v))};
  }
  static Block4 spread(const std::uint32_t* words) {
    const __m512i w =
        _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(words)));
    const __m512i lane = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    return {_mm512_permutexvar_epi32(lane, w)};
  }
  Block4 where_bit(std::uint32_t bit, Block4 value) const {
    const __mmask16 set = _mm512_test_epi32_mask(v, _mm512_set1_epi32(static_cast<int>(bit)));
    return {_mm512_maskz_mov_epi32(set, value.v)};
  }

  Block4 aes_round(const void* key) const { return {_mm512_aesenc_epi128(v, broadcast(key).v)}; }
  Block4 aes_last_round(const void* key) const {
    return {_mm512_aesenclast_epi128(v, broadcast(key).v)};
  }
  Block4 next_round_key(int rcon) const {
    const __m512i rotate_last = _mm512_set1_epi32(0x0c0f0e0d);
    const __m512i t =
        _mm512_aesenclast_epi128(_mm512_shuffle_epi8(v, rotate_last), _mm512_set1_epi32(rcon));
    __m512i k = _mm512_xor_si512(v, _mm512_bslli_epi128(v, 4));
    k = _mm512_xor_si512(k, _mm512_bslli_epi128(k, 8));
    return {_mm512_xor_si512(k, t)};
  }
};

}  // namespace pi::vaes512
