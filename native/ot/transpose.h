// Transposes the bit matrix whose columns an OT extension makes and whose rows are labels.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pi {

inline constexpr std::size_t kTileBytes = 128 * 16;

// Holds a chunk of OTs before its transposition. A tile has the bits of 128 OTs: 128 rows of 16
// bytes, of which every kRowsPerParity ones share a row of `parities`, `parity_bytes` long, of
// which each tile has 16. masks: [128][16], all ones or zero; null if the rows are final.
struct TileRows {
  const std::uint8_t* tiles;
  const std::uint8_t* parities;
  std::size_t parity_bytes;
  const std::uint8_t* masks;
};

inline constexpr std::size_t kRowsPerParity = 4;

// Transposes one tile after the other into 128 labels of 16 bytes each, bit r of label j being bit
// j (little-bit-first) of row r. A row counts as XORed with its parity where its mask is all ones.
//
// The work comes in pieces of about hundred instructions. A caller puts them between the
// encryptions that make the next chunk, since shuffles use execution units that AES leaves idle.
//
// A template over a vector of 16 bytes (bytes_aesni.h). tiles_vaes512.h has the same interface.
template <class Bytes>
class Transposer {
  static constexpr std::size_t kGroups = 16;  // of 8 rows each; one byte of every label

 public:
  static constexpr std::size_t kPiecesPerTile = kGroups + 8;

  Transposer(const TileRows& from, std::uint8_t* labels) : from_(from), labels_(labels) {}

  // Does a piece. All of them, in order, are the transposition.
  template <bool kCorrected>
  [[gnu::always_inline]] void run(std::size_t piece) {
    const std::size_t tile = piece / kPiecesPerTile;
    const std::size_t part = piece % kPiecesPerTile;
    if (part < kGroups) {
      swap_bits<kCorrected>(tile, part);
    } else {
      swap_bytes(tile, part - kGroups);
    }
  }

  // Stores the four columns of a tree, each of four tiles, from the vectors `column`.
  template <class Block4>
  static void store_columns(const Block4 (&column)[4], std::uint8_t* tile) {
    for (std::size_t row = 0; row < 4; ++row) {
      alignas(64) std::uint8_t raw[64];
      column[row].store(raw);
      for (std::size_t i = 0; i < 4; ++i) {
        std::memcpy(tile + kTileBytes * i + 16 * row, raw + 16 * i, 16);
      }
    }
  }

 private:
  // Transposes blocks of 8 by 8 bits by swaps of halves between rows: afterwards bit i of byte k of
  // row r is the former bit r of byte k of row i.
  template <bool kCorrected>
  void swap_bits(std::size_t tile, std::size_t group) {
    Bytes r[8];
    for (std::size_t i = 0; i < 8; ++i) r[i] = load<kCorrected>(tile, 8 * group + i);
    for (int i = 0; i < 4; ++i) Bytes::template swap_bits<4, 0x0f>(r[i], r[i + 4]);
    for (int i = 0; i < 8; i += i % 4 == 1 ? 3 : 1)
      Bytes::template swap_bits<2, 0x33>(r[i], r[i + 2]);
    for (int i = 0; i < 8; i += 2) Bytes::template swap_bits<1, 0x55>(r[i], r[i + 1]);
    for (int i = 0; i < 8; ++i) planes_[i][group] = r[i];
  }

  // Transposes 16 by 16 bytes by four perfect shuffles; x[k] is then the label of bit `plane` of
  // byte k.
  void swap_bytes(std::size_t tile, std::size_t plane) {
    Bytes x[kGroups];
    for (std::size_t g = 0; g < kGroups; ++g) x[g] = planes_[plane][g];
    for (int step = 0; step < 4; ++step) {
      Bytes t[kGroups];
      for (std::size_t g = 0; g < kGroups / 2; ++g) {
        t[2 * g] = Bytes::interleave_low(x[g], x[g + 8]);
        t[2 * g + 1] = Bytes::interleave_high(x[g], x[g + 8]);
      }
      for (std::size_t g = 0; g < kGroups; ++g) x[g] = t[g];
    }
    std::uint8_t* to = labels_ + kTileBytes * tile + 16 * plane;
    for (std::size_t k = 0; k < kGroups; ++k) x[k].store(to + 16 * 8 * k);
  }

  template <bool kCorrected>
  Bytes load(std::size_t tile, std::size_t row) const {
    const Bytes bytes = Bytes::load(from_.tiles + kTileBytes * tile + 16 * row);
    if constexpr (!kCorrected) return bytes;
    const std::uint8_t* parity = from_.parities + from_.parity_bytes * (row / kRowsPerParity);
    return bytes.xor_masked(Bytes::load(parity + 16 * tile), from_.masks + 16 * row);
  }

  TileRows from_;
  std::uint8_t* labels_;
  Bytes planes_[8][kGroups];
};

}  // namespace pi
