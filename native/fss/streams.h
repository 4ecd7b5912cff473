// Packs 32 values of a few bits: as a stream, one value behind the other, lowest bit first, or as
// planes, one 32-bit word per bit, with lane i at bit i.
#pragma once
#include "symmetric/lanes.h"

namespace pi::fss {

template <class Block4>
struct Streams {
  // Stores and loads a stream of `width` bits, 0 to 32; the higher bits of the values are not
  // stored, and are 0 when they come back.
  static void store(std::uint8_t*& to, const Words& values, int width) {
    const auto pair_bits = static_cast<unsigned>(2 * width);
    const std::uint32_t mask = low_bits(width);
    std::uint64_t out[kLanes / 2 + 1] = {};
    for (unsigned pair = 0; pair < kLanes / 2; ++pair) {
      const std::uint64_t low = values.at[2 * pair] & mask;
      const std::uint64_t high = values.at[2 * pair + 1] & mask;
      const std::uint64_t both = low | high << width;
      const unsigned at = pair * pair_bits / 64;
      const unsigned shift = pair * pair_bits % 64;
      out[at] |= both << shift;
      out[at + 1] |= both >> 1 >> (63 - shift);
    }
    const std::size_t bytes = std::size_t{4} * static_cast<std::size_t>(width);
    std::memcpy(to, out, bytes);
    to += bytes;
  }
  static Words load(const std::uint8_t*& from, int width) {
    const std::size_t bytes = std::size_t{4} * static_cast<std::size_t>(width);
    std::uint64_t in[kLanes / 2 + 1] = {};
    std::memcpy(in, from, bytes);
    from += bytes;
    const auto pair_bits = static_cast<unsigned>(2 * width);
    const std::uint32_t mask = low_bits(width);
    Words out;
    for (unsigned pair = 0; pair < kLanes / 2; ++pair) {
      const unsigned at = pair * pair_bits / 64;
      const unsigned shift = pair * pair_bits % 64;
      const std::uint64_t both = in[at] >> shift | in[at + 1] << 1 << (63 - shift);
      out.at[2 * pair] = static_cast<std::uint32_t>(both) & mask;
      out.at[2 * pair + 1] = static_cast<std::uint32_t>(both >> width) & mask;
    }
    return out;
  }

  // Returns `count` planes, at most 32, as one word per lane: plane i at bit i.
  static Words of_planes(const std::uint32_t* planes, int count) {
    Words out = {};
    for (int i = 0; i < count; ++i) {
      for (int lane = 0; lane < kLanes; ++lane) out.at[lane] |= (planes[i] >> lane & 1u) << i;
    }
    return out;
  }
  // Returns bit `bit` of every lane's word as a plane.
  static std::uint32_t plane(const Words& words, int bit) {
    std::uint32_t packed = 0;
    for (int lane = 0; lane < kLanes; ++lane) packed |= (words.at[lane] >> bit & 1u) << lane;
    return packed;
  }
  static void store_planes(std::uint8_t*& to, const Words& words, int count) {
    for (int bit = 0; bit < count; ++bit) {
      const std::uint32_t packed = plane(words, bit);
      std::memcpy(to, &packed, sizeof packed);
      to += sizeof packed;
    }
  }
  static Words load_planes(const std::uint8_t*& from, int count) {
    std::uint32_t planes[kLanes];
    std::memcpy(planes, from, sizeof planes[0] * static_cast<std::size_t>(count));
    from += sizeof planes[0] * static_cast<std::size_t>(count);
    return of_planes(planes, count);
  }

 private:
  static std::uint32_t low_bits(int width) {
    return static_cast<std::uint32_t>((std::uint64_t{1} << width) - 1);
  }
};

}  // namespace pi::fss
