// Holds four 128-bit blocks in plain C++, for processors without AES instructions.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "symmetric/bitsliced_aes.h"

namespace pi::portable {

// Implements the interface that block_aesni.h documents.
struct Block4 {
  std::uint64_t v[8];  // low half of block 0, high half, low half of block 1, ...

  static constexpr int kInFlight = 8;  // the blocks of one call of the bitsliced cipher

  static Block4 load(const void* from) {
    Block4 out;
    std::memcpy(out.v, from, sizeof out.v);
    return out;
  }
  static Block4 broadcast(const void* from) {
    std::uint64_t half[2];
    std::memcpy(half, from, sizeof half);
    return of_halves(half[1], half[0]);
  }
  static Block4 of_halves(std::uint64_t high, std::uint64_t low) {
    return {{low, high, low, high, low, high, low, high}};
  }
  static Block4 zero() { return of_halves(0, 0); }
  void store(void* to) const { std::memcpy(to, v, sizeof v); }

  friend Block4 operator^(Block4 a, Block4 b) {
    for (int i = 0; i < 8; ++i) a.v[i] ^= b.v[i];
    return a;
  }
  friend Block4 operator&(Block4 a, Block4 b) {
    for (int i = 0; i < 8; ++i) a.v[i] &= b.v[i];
    return a;
  }

  static Block4 of_low_halves(const void* from) {
    std::uint64_t half[4];
    std::memcpy(half, from, sizeof half);
    return {{half[0], 0, half[1], 0, half[2], 0, half[3], 0}};
  }
  void store_low_halves(void* to) const {
    const std::uint64_t half[4] = {v[0], v[2], v[4], v[6]};
    std::memcpy(to, half, sizeof half);
  }
  Block4 halves_left(int bits) const {
    Block4 out;
    for (int i = 0; i < 8; ++i) out.v[i] = v[i] << bits;
    return out;
  }
  Block4 halves_right(int bits) const {
    Block4 out;
    for (int i = 0; i < 8; ++i) out.v[i] = v[i] >> bits;
    return out;
  }
  Block4 halves_swapped() const {
    Block4 out;
    for (int i = 0; i < 8; ++i) out.v[i] = v[i ^ 1];
    return out;
  }
  static Block4 high_halves(Block4 a, Block4 b) {
    for (int i = 0; i < 8; i += 2) a.v[i] = a.v[i + 1];
    for (int i = 0; i < 8; i += 2) a.v[i + 1] = b.v[i + 1];
    return a;
  }
  Block4 words_rotated() const {
    Block4 out;
    for (int i = 0; i < 8; ++i) out.v[i] = v[i] << 32 | v[i ^ 1] >> 32;
    return out;
  }

  std::uint32_t low_bits() const {
    std::uint64_t out = 0;
    for (int i = 0; i < 4; ++i) out |= (v[2 * i] & 1) << i;
    return static_cast<std::uint32_t>(out);
  }
  Block4 color_mask() const {
    Block4 out;
    for (int i = 0; i < 8; ++i) out.v[i] = 0 - (v[i & ~1] & 1);
    return out;
  }
  Block4 sigma() const {
    Block4 out;
    for (int i = 0; i < 8; i += 2) {
      out.v[i] = v[i + 1];
      out.v[i + 1] = v[i] ^ v[i + 1];
    }
    return out;
  }
  static Block4 spread(const std::uint32_t* words) {
    Block4 out;
    for (int i = 0; i < 8; ++i) out.v[i] = words[i / 2] * 0x0000000100000001ull;
    return out;
  }
  Block4 where_bit(std::uint32_t bit, Block4 value) const {
    for (int i = 0; i < 8; ++i) {
      const std::uint64_t found = v[i] & bit;  // zero, or the one bit
      value.v[i] &= ((found - 1) >> 63) - 1;
    }
    return value;
  }

  static void expand_keys(const std::uint8_t* keys, int count, RoundKeys* out) {
    bitsliced_expand(keys, static_cast<std::size_t>(count), out);
  }
  // x[0..count) under one key. Both replace the rounds of the other paths (aes.h).
  static void encrypt(Block4* x, int count, const RoundKeys& keys) {
    constexpr std::size_t kStep = sizeof(Block4) * kInFlight;
    alignas(64) std::uint8_t blocks[kStep] = {};
    for (int first = 0; first < count; first += kInFlight) {
      const int left = count - first < kInFlight ? count - first : kInFlight;
      const std::size_t bytes = sizeof(Block4) * static_cast<std::size_t>(left);
      std::memcpy(blocks, x + first, bytes);
      bitsliced_encrypt(blocks, keys);
      std::memcpy(x + first, blocks, bytes);
    }
  }
};

}  // namespace pi::portable
