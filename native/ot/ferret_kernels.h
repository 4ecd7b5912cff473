// Expands one group of Ferret's trees and encodes its leaves, as templates; each instruction set
// instantiates them once.
#pragma once
#include <cstddef>
#include <cstdint>

#include "ot/ferret.h"
#include "symmetric/lanes.h"

namespace pi {

// Holds the keys of a call: the code's, and those of each level of the group under way.
struct FerretKeys {
  RoundKeys code;
  RoundKeys levels[kFerretMostLevels];
};

struct FerretKernels {
  void (*expand_seed)(const std::uint8_t* seed, RoundKeys* keys);
  // Expands the keys of one group's levels.
  void (*level_keys)(const FerretTrees& trees, std::uint32_t group, FerretKeys& keys);
  // Grow a group's trees in `nodes`, [leaf][tree][16]. The sender's leaves are all known;
  // `corrections` may be nullptr. Bit 0 of every leaf becomes that of an OT with random choice.
  void (*grow)(const FerretKeys& keys, int levels, const std::uint8_t* delta,
               const std::uint8_t* path_labels, std::uint8_t* nodes, std::uint8_t* corrections);
  void (*puncture)(const FerretKeys& keys, int levels, const std::uint8_t* path_labels,
                   const std::uint8_t* corrections, std::uint8_t* nodes);
  // labels[i] ^= the secrets of row first_row + i, for `rows` rows, a multiple of 8.
  void (*encode)(const FerretKeys& keys, const FerretCode& code, std::uint64_t first_row,
                 std::size_t rows, std::uint8_t* labels);
  void (*derandomize_receiver)(const std::uint8_t* from, std::size_t count,
                               const std::uint8_t* choice_bits, bool even, std::uint8_t* message,
                               std::uint8_t* to);
  void (*derandomize_sender)(const std::uint8_t* from, std::size_t count, const std::uint8_t* delta,
                             const std::uint8_t* message, std::uint8_t* to);
};

extern const FerretKernels kFerretPortable;
extern const FerretKernels kFerretAesni;
extern const FerretKernels kFerretVaes512;

template <class Block4>
struct FerretTemplates {
  static constexpr std::size_t kN = Block4::kInFlight;
  static constexpr std::size_t kBytes = sizeof(Block4);

  static void expand_seed(const std::uint8_t* seed, RoundKeys* keys) {
    expand_keys<Block4>(seed, 1, keys);
  }

  static void level_keys(const FerretTrees& trees, std::uint32_t group, FerretKeys& keys) {
    std::uint8_t raw[kFerretMostLevels][kBlockBytes];
    for (int level = 0; level < trees.levels; ++level) {
      tweaked_key(trees.hash_seed,
                  {Purpose::kFerretTree, trees.batch, group, static_cast<std::uint32_t>(level), 0},
                  raw[level]);
    }
    expand_keys<Block4>(raw[0], trees.levels, keys.levels);
  }

  static void grow(const FerretKeys& keys, int levels, const std::uint8_t* delta,
                   const std::uint8_t* path_labels, std::uint8_t* nodes,
                   std::uint8_t* corrections) {
    const Block4 first = Block4::load(path_labels);
    first.store(nodes);
    (first ^ Block4::broadcast(delta)).store(nodes + kBytes);
    for (int level = 1; level < levels; ++level) {
      Block4 left_sum = Block4::zero();
      grow_level(
          keys.levels[level], level, nodes, [&](std::size_t, Block4 node) { return node; },
          [&](Block4, Block4 left) { left_sum = left_sum ^ left; });
      if (corrections != nullptr) {
        const Block4 label = Block4::load(path_labels + kBytes * static_cast<std::size_t>(level));
        (left_sum ^ label).store(corrections + kBytes * static_cast<std::size_t>(level - 1));
      }
    }
    const Block4 mask = choice_mask();
    for (std::size_t p = 0; p < std::size_t{1} << levels; ++p) {
      std::uint8_t* at = nodes + kBytes * p;
      const Block4 leaf = Block4::load(at);
      (leaf ^ (leaf & mask)).store(at);
    }
  }

  // A choice bit c at a level means that the receiver knows the sum of all nodes whose last step is
  // c, and so its path goes to NOT c. The node on the path is held as zero, so that both of its
  // children become H(0). The next pass over the nodes xors this away, and puts the sibling, which
  // follows from the sum, in its place.
  static void puncture(const FerretKeys& keys, int levels, const std::uint8_t* path_labels,
                       const std::uint8_t* corrections, std::uint8_t* nodes) {
    Path path;
    const Block4 first = Block4::load(path_labels);
    path.descend(0, first);
    path.zero_hash = Block4::zero();
    path.sibling = first;
    Block4::zero().store(nodes);
    Block4::zero().store(nodes + kBytes);
    Block4 parent_sum = first;
    for (int level = 1; level < levels; ++level) {
      const Block4 on_words = Block4::spread(path.on);
      const Block4 sibling_words = Block4::spread(path.beside);
      const Block4 on_fix = path.zero_hash;
      const Block4 sibling_fix = path.zero_hash ^ path.sibling;
      Block4 left_sum = parent_sum = Block4::zero();
      grow_level(
          keys.levels[level], level, nodes,
          [&](std::size_t p, Block4 node) {
            const auto number = static_cast<std::uint32_t>(p);
            return node ^ where_equal(on_words, number, on_fix) ^
                   where_equal(sibling_words, number, sibling_fix);
          },
          [&](Block4 parent, Block4 left) {
            parent_sum = parent_sum ^ parent;
            left_sum = left_sum ^ left;
          });
      const auto at = static_cast<std::size_t>(level);
      const Block4 label = Block4::load(path_labels + kBytes * at);
      path.descend(level, label);
      const Block4 zero = Block4::zero();
      hash<1>(&zero, &path.zero_hash, keys.levels[level]);
      path.sibling = Block4::load(corrections + kBytes * (at - 1)) ^ label ^ left_sum ^
                     path.zero_hash ^ (label.color_mask() & parent_sum);
    }
    // All leaves of a tree sum to delta. So the sum of those that the receiver has is the leaf that
    // it lacks, xor delta: the label that it needs there.
    const Block4 on_words = Block4::spread(path.on);
    const Block4 sibling_words = Block4::spread(path.beside);
    const Block4 on_fix = path.zero_hash ^ parent_sum ^ path.sibling;
    const Block4 sibling_fix = path.zero_hash ^ path.sibling;
    const Block4 mask = choice_mask();
    for (std::size_t p = 0; p < std::size_t{1} << levels; ++p) {
      std::uint8_t* at = nodes + kBytes * p;
      const auto number = static_cast<std::uint32_t>(p);
      const Block4 leaf = Block4::load(at) ^ where_equal(on_words, number, on_fix) ^
                          where_equal(sibling_words, number, sibling_fix);
      (leaf ^ (leaf & mask) ^ where_equal(on_words, number, mask)).store(at);
    }
  }

  static void encode(const FerretKeys& keys, const FerretCode& code, std::uint64_t first_row,
                     std::size_t rows, std::uint8_t* labels) {
    alignas(64) std::uint32_t offsets[2][kStepWords];
    make_offsets(keys.code, code.count, first_row, offsets[0]);
    for (std::size_t done = 0; done < rows; done += kStepRows) {
      const std::size_t turn = done / kStepRows % 2;
      if (done + kStepRows < rows) {
        make_offsets(keys.code, code.count, first_row + done + kStepRows, offsets[1 - turn]);
      }
      add_secrets(code.secrets, offsets[turn], labels + kBlockBytes * done);
    }
  }

  static void derandomize_receiver(const std::uint8_t* from, std::size_t count,
                                   const std::uint8_t* choice_bits, bool even,
                                   std::uint8_t* message, std::uint8_t* to) {
    const Block4 flip = even ? choice_mask() : Block4::zero();
    for (std::size_t first = 0; first < count; first += kLanes) {
      const std::uint8_t* labels = from + kBlockBytes * first;
      std::uint32_t random = 0;
      for (int i = 0; i < kLanes; ++i) {
        random |= static_cast<std::uint32_t>(labels[kBlockBytes * i] & 1) << i;
      }
      std::uint32_t chosen;
      std::memcpy(&chosen, choice_bits + first / 8, sizeof chosen);
      const std::uint32_t sent = random ^ chosen;
      std::memcpy(message + first / 8, &sent, sizeof sent);
      add_where(labels, chosen, flip, to + kBlockBytes * first);
    }
  }

  static void derandomize_sender(const std::uint8_t* from, std::size_t count,
                                 const std::uint8_t* delta, const std::uint8_t* message,
                                 std::uint8_t* to) {
    const Block4 offset = Block4::broadcast(delta);
    for (std::size_t first = 0; first < count; first += kLanes) {
      std::uint32_t bits;
      std::memcpy(&bits, message + first / 8, sizeof bits);
      add_where(from + kBlockBytes * first, bits, offset, to + kBlockBytes * first);
    }
  }

  static constexpr FerretKernels kTable = {
      expand_seed, level_keys, grow, puncture, encode, derandomize_receiver, derandomize_sender};

 private:
  // So few rows that the processor encrypts the next step while this one waits for its secrets.
  static constexpr std::size_t kStepRows = 8;
  static constexpr std::size_t kStepWords = kStepRows * kFerretOnes;

  // Holds the receiver's path in four trees.
  struct Path {
    std::uint32_t on[4] = {};      // numbers of the nodes on the path
    std::uint32_t beside[4] = {};  // and of their siblings
    Block4 zero_hash;              // what the last pass has put in both places
    Block4 sibling;

    // Goes one level down, away from the choices in bit 0 of `labels`.
    void descend(int level, Block4 labels) {
      alignas(64) std::uint32_t words[4][4];
      labels.store(words);
      for (int i = 0; i < 4; ++i) {
        const std::uint32_t choice = words[i][0] & 1u;
        beside[i] = on[i] | (choice << level);
        on[i] |= (choice ^ 1u) << level;
      }
    }
  };

  // Four times a block with bit 0 set.
  static Block4 choice_mask() { return Block4::of_halves(0, 1); }

  // Replaces node p, after `mend(p, node)`, by its children p and p + 2^level, and calls
  // `sum(node, left child)`.
  template <class Mend, class Sum>
  [[gnu::always_inline]] static void grow_level(const RoundKeys& keys, int level,
                                                std::uint8_t* nodes, const Mend& mend,
                                                const Sum& sum) {
    const std::size_t width = std::size_t{1} << level;
    std::size_t p = 0;
    for (; p + kN <= width; p += kN) grow_nodes<kN>(keys, width, p, nodes, mend, sum);
    for (; p < width; ++p) grow_nodes<1>(keys, width, p, nodes, mend, sum);
  }

  template <std::size_t kCount, class Mend, class Sum>
  [[gnu::always_inline]] static void grow_nodes(const RoundKeys& keys, std::size_t width,
                                                std::size_t first, std::uint8_t* nodes,
                                                const Mend& mend, const Sum& sum) {
    Block4 parent[kCount];
    Block4 left[kCount];
    std::uint8_t* at = nodes + kBytes * first;
    for (std::size_t i = 0; i < kCount; ++i) {
      parent[i] = mend(first + i, Block4::load(at + kBytes * i));
    }
    hash<kCount>(parent, left, keys);
    for (std::size_t i = 0; i < kCount; ++i) {
      sum(parent[i], left[i]);
      left[i].store(at + kBytes * i);
      (left[i] ^ parent[i]).store(at + kBytes * (width + i));
    }
  }

  template <std::size_t kCount>
  [[gnu::always_inline]] static void encrypt_quads(const RoundKeys& keys, std::uint8_t* blocks) {
    Block4 state[kCount];
    for (std::size_t i = 0; i < kCount; ++i) state[i] = Block4::load(blocks + kBytes * i);
    encrypt<kCount>(state, keys);
    for (std::size_t i = 0; i < kCount; ++i) state[i].store(blocks + kBytes * i);
  }

  // Fills offsets[10 i + j] with 16 times the j-th secret of row first_row + i: word 10 row + j of
  // the AES-CTR stream of the code's seed, scaled to the number of secrets.
  static void make_offsets(const RoundKeys& keys, std::uint32_t count, std::uint64_t first_row,
                           std::uint32_t* offsets) {
    constexpr std::size_t kBlocks = kStepWords / 4;
    static_assert(kBlocks % 4 == 0);
    alignas(64) std::uint64_t blocks[kBlocks][2];
    const std::uint64_t first = first_row * kFerretOnes / 4;
    for (std::size_t i = 0; i < kBlocks; ++i) {
      blocks[i][0] = first + i;
      blocks[i][1] = 0;
    }
    auto* bytes = reinterpret_cast<std::uint8_t*>(blocks);
    constexpr std::size_t kQuads = kBlocks / 4;
    constexpr std::size_t kAtOnce = kN < kQuads ? kN : kQuads;
    std::size_t quad = 0;
    for (; quad + kAtOnce <= kQuads; quad += kAtOnce)
      encrypt_quads<kAtOnce>(keys, bytes + kBytes * quad);
    for (; quad < kQuads; ++quad) encrypt_quads<1>(keys, bytes + kBytes * quad);
    std::memcpy(offsets, blocks, sizeof blocks);
    for (std::size_t i = 0; i < kStepWords; ++i) {
      offsets[i] = static_cast<std::uint32_t>((std::uint64_t{offsets[i]} * count) >> 32) *
                   static_cast<std::uint32_t>(kBlockBytes);
    }
  }

  // A pair of 64-bit halves, which compilers keep in one register where there is one of 128 bits.
  typedef std::uint64_t Half2 __attribute__((vector_size(16), may_alias, aligned(1)));

  static void add_secrets(const std::uint8_t* secrets, const std::uint32_t* offsets,
                          std::uint8_t* labels) {
    for (std::size_t row = 0; row < kStepRows; ++row) {
      auto* to = reinterpret_cast<Half2*>(labels + kBlockBytes * row);
      Half2 sum = *to;
      for (std::size_t j = 0; j < kFerretOnes; ++j) {
        sum ^= *reinterpret_cast<const Half2*>(secrets + offsets[kFerretOnes * row + j]);
      }
      *to = sum;
    }
  }

  // to[i] = from[i], xor `value` where bit i of `bits` is set, for 32 labels.
  [[gnu::always_inline]] static void add_where(const std::uint8_t* from, std::uint32_t bits,
                                               Block4 value, std::uint8_t* to) {
    const std::uint32_t words[4] = {bits, bits >> 1, bits >> 2, bits >> 3};
    const Block4 spread = Block4::spread(words);
    for (std::size_t i = 0; i < kLanes / 4; ++i) {
      const Block4 added = spread.where_bit(1u << (4 * i), value);
      (Block4::load(from + kBytes * i) ^ added).store(to + kBytes * i);
    }
  }
};

}  // namespace pi
