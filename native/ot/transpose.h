// Transposes the bit matrix whose columns an OT extension makes and whose rows are labels; a
// template over a vector of bytes (bytes_aesni.h, bytes_vaes512.h).
#pragma once
#include <cstddef>
#include <cstdint>

namespace pi {

// Transposes 128 rows of `stride` bytes, of which Bytes::kWidth are read: 8 kWidth labels of 16
// bytes, bit r of label j being bit j (little-bit-first) of row r.
template <class Bytes>
void transpose_128(const std::uint8_t* rows, std::size_t stride, std::uint8_t* labels) {
  constexpr int kGroups = 16;  // of 8 rows each; one byte of every label
  Bytes planes[8][kGroups];
  for (int g = 0; g < kGroups; ++g) {
    Bytes r[8];
    for (int i = 0; i < 8; ++i)
      r[i] = Bytes::load(rows + stride * static_cast<std::size_t>(8 * g + i));
    // 8 by 8 bit blocks by swaps of halves between rows: afterwards bit i of byte k of row r is
    // the former bit r of byte k of row i.
    for (int i = 0; i < 4; ++i) Bytes::template swap_bits<4, 0x0f>(r[i], r[i + 4]);
    for (int i = 0; i < 8; i += i % 4 == 1 ? 3 : 1)
      Bytes::template swap_bits<2, 0x33>(r[i], r[i + 2]);
    for (int i = 0; i < 8; i += 2) Bytes::template swap_bits<1, 0x55>(r[i], r[i + 1]);
    for (int i = 0; i < 8; ++i) planes[i][g] = r[i];
  }
  for (int i = 0; i < 8; ++i) {
    // 16 by 16 bytes inside every 128-bit lane: four perfect shuffles.
    Bytes x[kGroups];
    for (int g = 0; g < kGroups; ++g) x[g] = planes[i][g];
    for (int step = 0; step < 4; ++step) {
      Bytes t[kGroups];
      for (int g = 0; g < kGroups / 2; ++g) {
        t[2 * g] = Bytes::interleave_low(x[g], x[g + 8]);
        t[2 * g + 1] = Bytes::interleave_high(x[g], x[g + 8]);
      }
      for (int g = 0; g < kGroups; ++g) x[g] = t[g];
    }
    // Lane L of x[k] is the label of bit i of byte 16 L + k.
    for (int k = 0; k < kGroups; ++k) x[k].store_lanes(labels + 16 * (8 * k + i), 16 * 8 * 16);
  }
}

}  // namespace pi
