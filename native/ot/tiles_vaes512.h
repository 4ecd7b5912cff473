// Transposes tiles of OT extension on the VAES path, with the interface of transpose.h. Include
// only in files compiled by pi_isa_source(vaes512).
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "ot/transpose.h"

namespace pi::vaes512 {

struct alignas(64) Indices {
  std::uint8_t at[64];
};

// The bytes of two registers that the first permutation takes. The transposition of 8 by 8 bits
// takes the last row first, so r counts down.
constexpr Indices to_bits(unsigned c6) {
  Indices out{};
  for (unsigned byte = 0; byte < 64; ++byte) {
    const unsigned r = 7 - byte % 8;
    out.at[byte] = static_cast<std::uint8_t>(r << 4 | c6 << 3 | byte / 8);
  }
  return out;
}
// Those that the second permutation takes.
constexpr Indices to_lanes(unsigned c5) {
  Indices out{};
  for (unsigned byte = 0; byte < 64; ++byte) {
    const unsigned c43 = byte >> 2 & 3;
    const unsigned c2 = byte >> 1 & 1;
    const unsigned r6 = byte & 1;
    out.at[byte] = static_cast<std::uint8_t>(r6 << 6 | c5 << 5 | c43 << 3 | c2 << 2 | byte / 16);
  }
  return out;
}
inline constexpr Indices kToBits[2] = {to_bits(0), to_bits(1)};
inline constexpr Indices kToLanes[2] = {to_lanes(0), to_lanes(1)};

// A register has the four rows of a tree in its lanes, which store_columns arranges. The bits of
// its index, of the row (r6 to r0) and of the OT in its tile (c6 to c0) move so:
//
//                              register         lane     byte of the lane     bit
//   loaded                     r6 r5 r4 r3 r2   r1 r0    c6 c5 c4 c3          c2 c1 c0
//   two registers permuted     r6 r5 r4 r3 c6   c5 c4    c3 r2 r1 r0          c2 c1 c0
//   8 by 8 bits transposed     r6 r5 r4 r3 c6   c5 c4    c3 c2 c1 c0          r2 r1 r0
//   two registers permuted     c5 r5 r4 r3 c6   c1 c0    c4 c3 c2 r6          r2 r1 r0
//   three times interleaved    c5 c4 c3 c2 c6   c1 c0    r6 r5 r4 r3          r2 r1 r0
//
// So a register has four labels that follow each other. A piece has one value of c6. Each of its
// first four parts ends after one interleaving, and each of the last four goes on from there.
class Transposer {
 public:
  static constexpr std::size_t kPiecesPerTile = 16;

  Transposer(const TileRows& from, std::uint8_t* labels) : from_(from), labels_(labels) {}

  template <bool kCorrected>
  [[gnu::always_inline]] void run(std::size_t piece) {
    const std::size_t tile = piece / kPiecesPerTile;
    const std::size_t half = piece / 8 % 2;
    const std::size_t part = piece % 4;
    if (piece % 8 < 4) {
      begin<kCorrected>(tile, half, part);
    } else {
      end(labels_ + kTileBytes / 2 * (2 * tile + half), part);
    }
  }

  template <class Block4>
  static void store_columns(const Block4 (&column)[4], std::uint8_t* tile) {
    const __m512i low01 = _mm512_shuffle_i32x4(column[0].v, column[1].v, 0x44);
    const __m512i low23 = _mm512_shuffle_i32x4(column[2].v, column[3].v, 0x44);
    const __m512i high01 = _mm512_shuffle_i32x4(column[0].v, column[1].v, 0xee);
    const __m512i high23 = _mm512_shuffle_i32x4(column[2].v, column[3].v, 0xee);
    _mm512_storeu_si512(tile, _mm512_shuffle_i32x4(low01, low23, 0x88));
    _mm512_storeu_si512(tile + kTileBytes, _mm512_shuffle_i32x4(low01, low23, 0xdd));
    _mm512_storeu_si512(tile + 2 * kTileBytes, _mm512_shuffle_i32x4(high01, high23, 0x88));
    _mm512_storeu_si512(tile + 3 * kTileBytes, _mm512_shuffle_i32x4(high01, high23, 0xdd));
  }

 private:
  // Takes registers `part`, part + 4, part + 8 and part + 12.
  template <bool kCorrected>
  void begin(std::size_t tile, std::size_t half, std::size_t part) {
    const __m512i bits = _mm512_load_si512(kToBits[half].at);
    const __m512i identity = _mm512_set1_epi64(static_cast<long long>(0x8040201008040201));
    __m512i x[4];
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t tree = 2 * (part + 4 * i);
      const __m512i rows = _mm512_permutex2var_epi8(load<kCorrected>(tile, tree), bits,
                                                    load<kCorrected>(tile, tree + 1));
      x[i] = _mm512_gf2p8affine_epi64_epi8(identity, rows, 0);
    }
    __m512i lanes[4];
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t c5 = 0; c5 < 2; ++c5) {
        lanes[i + 2 * c5] =
            _mm512_permutex2var_epi8(x[i], _mm512_load_si512(kToLanes[c5].at), x[i + 2]);
      }
    }
    for (std::size_t c5 = 0; c5 < 2; ++c5) {
      held_[part][2 * c5] = _mm512_unpacklo_epi8(lanes[2 * c5], lanes[2 * c5 + 1]);
      held_[part][2 * c5 + 1] = _mm512_unpackhi_epi8(lanes[2 * c5], lanes[2 * c5 + 1]);
    }
  }

  // Makes the labels whose bits c5 and c4 are those of `part`.
  void end(std::uint8_t* labels, std::size_t part) {
    __m512i x[4];
    for (std::size_t i = 0; i < 2; ++i) {
      x[i] = _mm512_unpacklo_epi8(held_[i][part], held_[i + 2][part]);
      x[i + 2] = _mm512_unpackhi_epi8(held_[i][part], held_[i + 2][part]);
    }
    std::uint8_t* to = labels + 256 * part;
    for (std::size_t c3 = 0; c3 < 2; ++c3) {
      const __m512i low = _mm512_unpacklo_epi8(x[2 * c3], x[2 * c3 + 1]);
      const __m512i high = _mm512_unpackhi_epi8(x[2 * c3], x[2 * c3 + 1]);
      _mm512_storeu_si512(to + 128 * c3, low);
      _mm512_storeu_si512(to + 128 * c3 + 64, high);
    }
  }

  template <bool kCorrected>
  __m512i load(std::size_t tile, std::size_t tree) const {
    const __m512i rows = _mm512_loadu_si512(from_.tiles + kTileBytes * tile + 64 * tree);
    if constexpr (!kCorrected) return rows;
    const std::uint8_t* parity = from_.parities + from_.parity_bytes * tree + 16 * tile;
    const __m512i added =
        _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(parity)));
    // rows xor (added and mask)
    return _mm512_ternarylogic_epi64(rows, added, _mm512_loadu_si512(from_.masks + 64 * tree),
                                     0x78);
  }

  TileRows from_;
  std::uint8_t* labels_;
  __m512i held_[4][4];
};

}  // namespace pi::vaes512
