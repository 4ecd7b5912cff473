// Holds 32 blocks or 32 words side by side, the unit of work of every kernel. The types are
// templates over Block4, so that files compiled with different flags share no symbol.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "symmetric/aes.h"

namespace pi {

inline constexpr std::size_t kRowBytes = std::size_t{kLanes} * kBlockBytes;

// Holds one word per element. Kernels compute with plain loops over `at`, which vectorize.
struct alignas(64) Words {
  std::uint32_t at[kLanes];
};

template <class Block4>
struct Lanes {
  static constexpr int kQuads = kLanes / 4;
  Block4 at[kQuads];

  static Lanes load(const std::uint8_t* from) {
    Lanes out;
    for (int i = 0; i < kQuads; ++i) out.at[i] = Block4::load(from + 64 * i);
    return out;
  }
  void store(std::uint8_t* to) const {
    for (int i = 0; i < kQuads; ++i) at[i].store(to + 64 * i);
  }
  static Lanes zero() {
    Lanes out;
    for (int i = 0; i < kQuads; ++i) out.at[i] = Block4::zero();
    return out;
  }
  friend Lanes operator^(const Lanes& a, const Lanes& b) {
    Lanes out;
    for (int i = 0; i < kQuads; ++i) out.at[i] = a.at[i] ^ b.at[i];
    return out;
  }
  friend Lanes operator^(const Lanes& a, Block4 b) {
    Lanes out;
    for (int i = 0; i < kQuads; ++i) out.at[i] = a.at[i] ^ b;
    return out;
  }
};

// Holds the first kCount 32-bit words of each of 32 blocks, word by word.
template <class Block4, int kCount>
struct BlockWords {
  Words word[kCount];

  explicit BlockWords(const Lanes<Block4>& blocks) {
    alignas(64) std::uint32_t raw[kLanes][4];
    blocks.store(reinterpret_cast<std::uint8_t*>(raw));
    for (int i = 0; i < kCount; ++i) {
      for (int lane = 0; lane < kLanes; ++lane) word[i].at[lane] = raw[lane][i];
    }
  }
};

template <class Block4>
[[gnu::always_inline]] inline Lanes<Block4> hash_lanes(const Lanes<Block4>& in,
                                                       const RoundKeys& keys) {
  Lanes<Block4> out;
  for (int i = 0; i < Lanes<Block4>::kQuads; i += Block4::kInFlight) {
    hash<Block4::kInFlight>(in.at + i, out.at + i, keys);
  }
  return out;
}

// A bitsliced cipher is long, and its callers are slower with a copy of it inside.
template <Bitsliced Block4>
[[gnu::noinline]] Lanes<Block4> hash_lanes(const Lanes<Block4>& in, const RoundKeys& keys) {
  Lanes<Block4> out;
  hash<Lanes<Block4>::kQuads>(in.at, out.at, keys);
  return out;
}

// Returns the color bit of each of 32 labels.
template <class Block4>
Words colors(const Lanes<Block4>& labels) {
  BlockWords<Block4, 1> words(labels);
  for (int lane = 0; lane < kLanes; ++lane) words.word[0].at[lane] &= 1u;
  return words.word[0];
}

// Holds hash keys of one purpose at one position for up to kMost groups, expanded together.
template <class Block4>
class OutputKeys {
 public:
  static constexpr std::size_t kMost = 16;

  OutputKeys(const std::uint8_t* seed, Purpose purpose, std::uint32_t gadget, int position,
             std::uint32_t first_group, std::size_t count) {
    std::uint8_t raw[kMost][kBlockBytes];
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t group = first_group + static_cast<std::uint32_t>(i);
      tweaked_key(seed, {purpose, gadget, group, static_cast<std::uint32_t>(position), 0}, raw[i]);
    }
    expand_keys<Block4>(raw[0], static_cast<int>(count), keys_);
  }
  const RoundKeys& operator[](std::size_t i) const { return keys_[i]; }

 private:
  RoundKeys keys_[kMost];
};

// Holds small functions that every kernel uses, in one template, so that they have one name per
// Block4.
template <class Block4>
struct Pieces {
  static Words load_words(const std::uint8_t*& from) {
    Words out;
    std::memcpy(out.at, from, sizeof out.at);
    from += sizeof out.at;
    return out;
  }
  static void store_words(std::uint8_t*& to, const Words& words) {
    std::memcpy(to, words.at, sizeof words.at);
    to += sizeof words.at;
  }
  static Words words_at(const std::uint32_t* from) {
    Words out;
    std::memcpy(out.at, from, sizeof out.at);
    return out;
  }

  // Unpacks 32 bits, lane 0 lowest, to words 0 or 1, and packs them.
  static Words load_bits(const std::uint8_t*& from) {
    std::uint32_t packed;
    std::memcpy(&packed, from, sizeof packed);
    from += sizeof packed;
    Words out;
    for (int lane = 0; lane < kLanes; ++lane) out.at[lane] = (packed >> lane) & 1u;
    return out;
  }
  static void store_bits(std::uint8_t*& to, const Words& bits) {
    std::uint32_t packed = 0;
    for (int lane = 0; lane < kLanes; ++lane) packed |= (bits.at[lane] & 1u) << lane;
    std::memcpy(to, &packed, sizeof packed);
    to += sizeof packed;
  }

  // Select by a bit that is 0 or 1: x or 0, -x or x, a or b. They use masks, never a branch on a
  // secret.
  static std::uint32_t times_bit(std::uint32_t bit, std::uint32_t x) { return (0u - bit) & x; }
  static std::uint32_t negate_if(std::uint32_t bit, std::uint32_t x) {
    return (x ^ (0u - bit)) + bit;
  }
  static std::uint32_t choose(std::uint32_t bit, std::uint32_t one, std::uint32_t zero) {
    return zero ^ ((0u - bit) & (one ^ zero));
  }
};

}  // namespace pi
