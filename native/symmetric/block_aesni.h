// Holds four 128-bit blocks on the AES-NI path. Include only in files compiled by
// pi_isa_source(aesni).
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace pi::aesni {

// Defines the interface that every kernel template uses; block_vaes512.h and block_portable.h
// implement it too. Kernels are templates over this type, so that code compiled with different
// flags never shares a symbol. A helper that is no such template must be always_inline.
struct Block4 {
  __m128i v[4];

  static constexpr int kInFlight = 2;  // values of this type that hide the latency of AES

  static Block4 load(const void* from) {
    const auto* p = static_cast<const __m128i*>(from);
    return {{_mm_loadu_si128(p), _mm_loadu_si128(p + 1), _mm_loadu_si128(p + 2),
             _mm_loadu_si128(p + 3)}};
  }
  static Block4 broadcast(const void* from) {
    const __m128i b = _mm_loadu_si128(static_cast<const __m128i*>(from));
    return {{b, b, b, b}};
  }
  // Four times high || low.
  static Block4 of_halves(std::uint64_t high, std::uint64_t low) {
    const __m128i b = _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
    return {{b, b, b, b}};
  }
  static Block4 zero() {
    const __m128i z = _mm_setzero_si128();
    return {{z, z, z, z}};
  }
  void store(void* to) const {
    auto* p = static_cast<__m128i*>(to);
    for (int i = 0; i < 4; ++i) _mm_storeu_si128(p + i, v[i]);
  }

  friend Block4 operator^(Block4 a, Block4 b) {
    for (int i = 0; i < 4; ++i) a.v[i] = _mm_xor_si128(a.v[i], b.v[i]);
    return a;
  }
  friend Block4 operator&(Block4 a, Block4 b) {
    for (int i = 0; i < 4; ++i) a.v[i] = _mm_and_si128(a.v[i], b.v[i]);
    return a;
  }

  // Four 64-bit integers in memory, at any address, as the low halves of blocks whose high halves
  // are zero, and back.
  static Block4 of_low_halves(const void* from) {
    const auto* p = static_cast<const std::uint8_t*>(from);
    Block4 out;
    for (int i = 0; i < 4; ++i) {
      out.v[i] = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 8 * i));
    }
    return out;
  }
  void store_low_halves(void* to) const {
    auto* p = static_cast<std::uint8_t*>(to);
    for (int i = 0; i < 4; ++i) _mm_storel_epi64(reinterpret_cast<__m128i*>(p + 8 * i), v[i]);
  }
  // Both 64-bit halves of each block, shifted by 0 to 63 bits; and the halves exchanged.
  Block4 halves_left(int bits) const {
    Block4 out;
    for (int i = 0; i < 4; ++i) out.v[i] = _mm_sll_epi64(v[i], _mm_cvtsi32_si128(bits));
    return out;
  }
  Block4 halves_right(int bits) const {
    Block4 out;
    for (int i = 0; i < 4; ++i) out.v[i] = _mm_srl_epi64(v[i], _mm_cvtsi32_si128(bits));
    return out;
  }
  Block4 halves_swapped() const {
    Block4 out;
    for (int i = 0; i < 4; ++i) out.v[i] = _mm_shuffle_epi32(v[i], 0x4e);
    return out;
  }
  // Block i: the high half of block i of a as its low half, and that of b as its high half.
  static Block4 high_halves(Block4 a, Block4 b) {
    for (int i = 0; i < 4; ++i) a.v[i] = _mm_unpackhi_epi64(a.v[i], b.v[i]);
    return a;
  }
  // Each block as four 32-bit words, moved up by one word; the highest word becomes the lowest.
  Block4 words_rotated() const {
    Block4 out;
    for (int i = 0; i < 4; ++i) out.v[i] = _mm_shuffle_epi32(v[i], 0x93);
    return out;
  }

  // Bit i: bit 0 of block i.
  std::uint32_t low_bits() const {
    const __m128i low =
        _mm_unpacklo_epi64(_mm_unpacklo_epi32(v[0], v[1]), _mm_unpacklo_epi32(v[2], v[3]));
    return static_cast<std::uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(_mm_slli_epi32(low, 31))));
  }
  // Block i: all ones if bit 0 of block i is set, else zero.
  Block4 color_mask() const {
    Block4 out;
    for (int i = 0; i < 4; ++i) {
      const __m128i low = _mm_shuffle_epi32(v[i], 0);
      out.v[i] = _mm_srai_epi32(_mm_slli_epi32(low, 31), 31);
    }
    return out;
  }
  // sigma(L || R) = (L xor R) || L with L the high half. Both halves must reach the result: with
  // the operands of unpackhi swapped, R would cancel and half of every label would be dead.
  Block4 sigma() const {
    Block4 out;
    for (int i = 0; i < 4; ++i) {
      const __m128i swapped = _mm_shuffle_epi32(v[i], 0x4e);
      out.v[i] = _mm_xor_si128(swapped, _mm_unpackhi_epi64(_mm_setzero_si128(), v[i]));
    }
    return out;
  }
  // Block i: words[i] in each of its four 32-bit parts.
  static Block4 spread(const std::uint32_t* words) {
    const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(words));
    return {{_mm_shuffle_epi32(w, 0x00), _mm_shuffle_epi32(w, 0x55), _mm_shuffle_epi32(w, 0xaa),
             _mm_shuffle_epi32(w, 0xff)}};
  }
  // *this must come from spread: block i of `value` where words[i] has a bit of `bit`, else zero.
  Block4 where_bit(std::uint32_t bit, Block4 value) const {
    const __m128i b = _mm_set1_epi32(static_cast<int>(bit));
    Block4 out;
    for (int i = 0; i < 4; ++i) {
      out.v[i] = _mm_and_si128(_mm_cmpeq_epi32(_mm_and_si128(v[i], b), b), value.v[i]);
    }
    return out;
  }

  // One AES round with one 16-byte round key for all four blocks.
  Block4 aes_round(const void* key) const {
    const __m128i k = _mm_loadu_si128(static_cast<const __m128i*>(key));
    Block4 out;
    for (int i = 0; i < 4; ++i) out.v[i] = _mm_aesenc_si128(v[i], k);
    return out;
  }
  Block4 aes_last_round(const void* key) const {
    const __m128i k = _mm_loadu_si128(static_cast<const __m128i*>(key));
    Block4 out;
    for (int i = 0; i < 4; ++i) out.v[i] = _mm_aesenclast_si128(v[i], k);
    return out;
  }
  // *this holds round key r of four keys; returns round key r + 1, whose constant is `rcon`.
  Block4 next_round_key(int rcon) const {
    const __m128i rotate_last = _mm_set1_epi32(0x0c0f0e0d);
    const __m128i constant = _mm_set1_epi32(rcon);
    Block4 out;
    for (int i = 0; i < 4; ++i) {
      // All four columns are equal, so ShiftRows inside aesenclast changes nothing.
      const __m128i t = _mm_aesenclast_si128(_mm_shuffle_epi8(v[i], rotate_last), constant);
      __m128i k = _mm_xor_si128(v[i], _mm_slli_si128(v[i], 4));
      k = _mm_xor_si128(k, _mm_slli_si128(k, 8));
      out.v[i] = _mm_xor_si128(k, t);
    }
    return out;
  }
};

}  // namespace pi::aesni
