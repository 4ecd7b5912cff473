// Packs 32 values of a few bits: as a stream, one value after the other, lowest bit first, or as
// planes, one 32-bit word per bit, with lane i at bit i.
#pragma once
#include "symmetric/lanes.h"

namespace pi::fss {

template <class Block4>
struct Streams {
  // Stores and loads a stream of `width` bits, 0 to 32; the higher bits of the values are not
  // stored, and are 0 when they come back.
  static void store(std::uint8_t*& to, const Words& values, int width) {
    const auto mask = static_cast<std::uint32_t>(low_bits(width));
    std::uint64_t pairs[kLanes / 2];  // 2 width bits each
    for (int i = 0; i < kLanes / 2; ++i) {
      pairs[i] = (values.at[2 * i] & mask) | static_cast<std::uint64_t>(values.at[2 * i + 1] & mask)
                                                 << width;
    }
    // Narrow values are joined in loops that vectorize, until two would not fit in a word.
    int count = kLanes / 2;
    int bits = 2 * width;
    while (count > 1 && 2 * bits <= 64) {
      join(pairs, count, bits);
      count /= 2;
      bits *= 2;
    }
    std::uint64_t word = 0;
    int filled = 0;
    for (int i = 0; i < count; ++i) {
      word |= pairs[i] << filled;
      filled += bits;
      if (filled < 64) continue;
      std::memcpy(to, &word, sizeof word);
      to += sizeof word;
      filled -= 64;
      word = pairs[i] >> 1 >> (bits - filled - 1);
    }
    if (filled == 0) return;  // else a half word is left
    std::memcpy(to, &word, 4);
    to += 4;
  }
  static Words load(const std::uint8_t*& from, int width) {
    const std::size_t bytes = std::size_t{4} * static_cast<std::size_t>(width);
    std::uint64_t in[kLanes / 2 + 1];
    in[bytes / 8] = 0;
    std::memcpy(in, from, bytes);
    from += bytes;
    std::uint64_t pairs[kLanes / 2];
    for (unsigned i = 0; i < kLanes / 2; ++i) {
      const unsigned at = 2 * i * static_cast<unsigned>(width);
      pairs[i] = in[at / 64] >> at % 64 | in[at / 64 + 1] << 1 << (63 - at % 64);
    }
    const auto mask = static_cast<std::uint32_t>(low_bits(width));
    Words out;
    for (int i = 0; i < kLanes / 2; ++i) {
      out.at[2 * i] = static_cast<std::uint32_t>(pairs[i]) & mask;
      out.at[2 * i + 1] = static_cast<std::uint32_t>(pairs[i] >> width) & mask;
    }
    return out;
  }

  // Returns `count` planes, at most 32, as one word per lane: plane i at bit i.
  static Words of_planes(const std::uint32_t* planes, int count) {
    Words out = {};
    for (int first = 0; first < count; first += 8) {
      std::uint64_t tiles[kTiles] = {};
      for (int bit = 0; bit < 8 && first + bit < count; ++bit) {
        const std::uint64_t plane = planes[first + bit];
        for (int i = 0; i < kTiles; ++i) tiles[i] |= (plane >> 8 * i & 0xff) << 8 * bit;
      }
      transpose(tiles);
      std::uint8_t bytes[kLanes];
      std::memcpy(bytes, tiles, sizeof bytes);
      for (int lane = 0; lane < kLanes; ++lane) {
        out.at[lane] |= std::uint32_t{bytes[lane]} << first;
      }
    }
    return out;
  }
  static Words load_planes(const std::uint8_t*& from, int count) {
    std::uint32_t planes[kLanes];
    std::memcpy(planes, from, sizeof planes[0] * static_cast<std::size_t>(count));
    from += sizeof planes[0] * static_cast<std::size_t>(count);
    return of_planes(planes, count);
  }

  // Writes bits 0 to count - 1 of the lanes as planes.
  static void store_planes(std::uint8_t*& to, const Words& words, int count) {
    for (int first = 0; first < count; first += 8) {
      std::uint8_t bytes[kLanes];
      for (int lane = 0; lane < kLanes; ++lane) {
        bytes[lane] = static_cast<std::uint8_t>(words.at[lane] >> first);
      }
      std::uint64_t tiles[kTiles];
      std::memcpy(tiles, bytes, sizeof tiles);
      transpose(tiles);
      for (int bit = 0; bit < 8 && first + bit < count; ++bit) {
        std::uint32_t plane = 0;
        for (int i = 0; i < kTiles; ++i) {
          plane |= static_cast<std::uint32_t>(tiles[i] >> 8 * bit & 0xff) << 8 * i;
        }
        std::memcpy(to, &plane, sizeof plane);
        to += sizeof plane;
      }
    }
  }
  // Returns bit `bit` of every lane's word as a plane.
  static std::uint32_t plane(const Words& words, int bit) {
    std::uint32_t packed = 0;
    for (int lane = 0; lane < kLanes; ++lane) packed |= (words.at[lane] >> bit & 1u) << lane;
    return packed;
  }

 private:
  // Replaces neighbors by one value of twice the bits.
  static void join(std::uint64_t* values, int count, int bits) {
    for (int i = 0; i < count / 2; ++i) values[i] = values[2 * i] | values[2 * i + 1] << bits;
  }

  static constexpr int kTiles = kLanes / 8;

  // Transposes tiles of 8 by 8 bits: bit i of byte j and bit j of byte i change places.
  static void transpose(std::uint64_t (&tiles)[kTiles]) {
    for (std::uint64_t& tile : tiles) {
      swap_bits(tile, 7, 0x00aa00aa00aa00aa);
      swap_bits(tile, 14, 0x0000cccc0000cccc);
      swap_bits(tile, 28, 0x00000000f0f0f0f0);
    }
  }
  static void swap_bits(std::uint64_t& tile, int shift, std::uint64_t mask) {
    const std::uint64_t differ = (tile ^ tile >> shift) & mask;
    tile ^= differ ^ differ << shift;
  }

  static std::uint64_t low_bits(int width) {
    return width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
  }
};

}  // namespace pi::fss
