// Grows the tree of a shared table without a dealer, level by level, and looks entries up.
//
// Both parties run the same code. Their nodes differ by delta = delta_S xor delta_C on the path
// that the mask and c name, and are equal off it. A_i is a party's share of (bit i of the path)
// delta.
//
//   level 1      right node A_1, left node A_1 xor delta_P
//   bundle i     Z = XOR of H_level(node) xor delta_P xor A_{i+1}         (if i is not the last)
//                F = XOR of H_leaf(node) xor the party's table of the next digit   (a digit's end)
//   correction   CW_{i+1} and CF_i: the XOR of both parties' Z and F
//   children     left H_level(node) xor lsb(node) CW_{i+1}, right left xor node
//
// Child `bit` of node x is node x + bit 2^i, so node numbers follow levels.
#pragma once
#include "fss/layout.h"
#include "fss/place_keys.h"

namespace pi::fss {

// Holds the indices of the keys that the nodes of a level are hashed under.
struct NodeKeys {
  int level;
  int leaf;
};

template <class Block4>
class Tree {
 public:
  using Keys = PlaceKeys<Block4>;

  Tree(const TableShape& table, const TablePlace& place, int number)
      : table_(table), place_(place), number_(number) {}

  bool has_level(int level) const { return level >= 1 && level <= table_.levels; }
  std::size_t bundle_bytes(int level) const {
    return kRowBytes * (static_cast<std::size_t>(has_level(level) && level < table_.levels) +
                        static_cast<std::size_t>(has_level(level) && converts(table_, level)));
  }

  NodeKeys add_keys(Keys& keys, int level) const {
    NodeKeys out{-1, -1};
    if (!has_level(level)) return out;
    if (level < table_.levels) out.level = keys.add(Purpose::kTreeLevel, level, number_);
    if (converts(table_, level)) out.leaf = keys.add(Purpose::kTreeLeaf, level, number_);
    return out;
  }

  // Makes level 1 and the party's half of bundle 1. The scratch has A_2 on and the tables, the
  // state A_1.
  void make_first_level(const Keys& keys, NodeKeys at, Block4 delta, std::uint8_t* state,
                        std::uint8_t* scratch, std::uint8_t*& bundle) const {
    if (table_.levels == 0) return;
    const Lanes<Block4> right = Lanes<Block4>::load(state + place_.first_share);
    Sums sums;
    add_node(keys, at, 1, 0, right ^ delta, scratch, sums);
    add_node(keys, at, 1, 1, right, scratch, sums);
    store_half(1, sums, delta, state, scratch, bundle);
  }

  // Completes the corrections of `level` by the other party's half, and makes the next level and
  // the party's half of its bundle.
  void grow(const Keys& keys, NodeKeys next, int level, Block4 delta, const std::uint8_t*& received,
            std::uint8_t* state, std::uint8_t* scratch, std::uint8_t*& bundle) const {
    if (!has_level(level)) return;
    if (level < table_.levels) complete(state + correction_at(level + 1), received);
    if (converts(table_, level)) complete(state + leaf_correction_at(level), received);
    if (level == table_.levels) return wipe(scratch);
    const std::uint8_t* correction = state + correction_at(level + 1);
    const int count = 1 << level;
    const RoundKeys* level_key = next.level < 0 ? nullptr : &keys[next.level];
    const RoundKeys* leaf_key = next.leaf < 0 ? nullptr : &keys[next.leaf];
    Sums sums;
    if (level_key == nullptr) {
      make_children<false, true>(level_key, leaf_key, count, correction, scratch, sums);
    } else if (leaf_key == nullptr) {
      make_children<true, false>(level_key, leaf_key, count, correction, scratch, sums);
    } else {
      make_children<true, true>(level_key, leaf_key, count, correction, scratch, sums);
    }
    store_half(level + 1, sums, delta, state, scratch, bundle);
  }

  // Adds the keys that `look_up` needs.
  void add_keys(Keys& keys, NodeKeys (&at)[kMostLevels + 1]) const {
    for (int level = 1; level <= table_.levels; ++level) at[level] = add_keys(keys, level);
  }

  // Returns the party's share of the table at a public index per lane: at bit 0 the entry of the
  // index, and at bit 1, if the index is even, the entry of the next one. The other bits are no
  // result.
  Words look_up(const Keys& keys, const NodeKeys (&at)[kMostLevels + 1], Block4 delta,
                const std::uint8_t* state, const Words& index) const {
    Words out = {};
    if (table_.bits == 0) return out;
    pick(state + place_.entries, place_.entry_bytes, 0, index, out);
    if (table_.levels == 0) return out;
    Words flipped;
    for (int lane = 0; lane < kLanes; ++lane) flipped.at[lane] = ~index.at[lane];
    Lanes<Block4> node = Lanes<Block4>::load(state + place_.first_share) ^
                         chosen(flipped, level_bit(table_, 1), delta);
    for (int level = 1;; ++level) {
      if (converts(table_, level)) {
        const std::uint8_t* correction = state + leaf_correction_at(level);
        alignas(64) std::uint8_t raw[kLanes * kBlockBytes];
        corrected(hash_lanes(node, keys[at[level].leaf]), node, correction).store(raw);
        pick(raw, kBlockBytes, leaf_digit(table_, level) + 1, index, out);
      }
      if (level == table_.levels) return out;
      const Lanes<Block4> left = corrected(hash_lanes(node, keys[at[level].level]), node,
                                           state + correction_at(level + 1));
      const int bit = level_bit(table_, level + 1);
      for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
        const Block4 right = Block4::spread(index.at + 4 * i).where_bit(1u << bit, node.at[i]);
        node.at[i] = left.at[i] ^ right;
      }
    }
  }

  std::size_t correction_at(int level) const {
    return place_.first_share + kRowBytes * static_cast<std::size_t>(level - 1);
  }
  std::size_t leaf_correction_at(int level) const {
    return place_.first_share +
           kRowBytes * static_cast<std::size_t>(table_.levels + leaf_digit(table_, level));
  }

 private:
  struct Sums {
    Lanes<Block4> level = Lanes<Block4>::zero();
    Lanes<Block4> leaf = Lanes<Block4>::zero();
  };

  std::uint8_t* node_at(std::uint8_t* scratch, int number) const {
    return scratch + place_.nodes + kRowBytes * static_cast<std::size_t>(number);
  }

  // Leaves zeros in the scratch. Nodes are zeros already, unless level 1 is the last, which stores
  // none.
  void wipe(std::uint8_t* scratch) const {
    const std::size_t unused = table_.levels == 1 ? 2 * kRowBytes : 0;
    std::memset(scratch + place_.level_shares, 0, place_.nodes + unused - place_.level_shares);
  }

  // Replaces the `count` nodes of a level and their hashes by the nodes of the next level, hashes
  // these, and adds the hashes up. Nodes of the last level are leaves alone and are not needed
  // again, so it leaves zeros. Works on a part of the lanes, whose sums stay in registers.
  template <bool kLevel, bool kLeaf>
  void make_children(const RoundKeys* level_key, const RoundKeys* leaf_key, int count,
                     const std::uint8_t* corrections, std::uint8_t* scratch, Sums& sums) const {
    constexpr int kPart = Block4::kInFlight / 2;  // both children of a node at once
    const std::size_t half = kRowBytes * static_cast<std::size_t>(count);
    for (int first = 0; first < Lanes<Block4>::kQuads; first += kPart) {
      Block4 level_sum[kPart];
      Block4 leaf_sum[kPart];
      Block4 correction[kPart];
      for (int i = 0; i < kPart; ++i) {
        level_sum[i] = leaf_sum[i] = Block4::zero();
        correction[i] = Block4::load(corrections + 64 * (first + i));
      }
      for (int x = 0; x < count; ++x) {
        std::uint8_t* left = node_at(scratch, x) + 64 * first;
        std::uint8_t* right = left + half;
        Block4 child[2 * kPart];
        for (int i = 0; i < kPart; ++i) {
          const Block4 node = Block4::load(left + 64 * i);
          child[i] = Block4::load(right + 64 * i) ^ (node.color_mask() & correction[i]);
          child[kPart + i] = child[i] ^ node;
        }
        for (int i = 0; i < kPart; ++i) {
          (kLevel ? child[i] : Block4::zero()).store(left + 64 * i);
          (kLevel ? child[kPart + i] : Block4::zero()).store(right + 64 * i);
        }
        Block4 hashed[2 * kPart];
        if constexpr (kLevel) {
          hash<2 * kPart>(child, hashed, *level_key);
          for (int i = 0; i < kPart; ++i) {
            hashed[i].store(left + 2 * half + 64 * i);
            hashed[kPart + i].store(right + 2 * half + 64 * i);
            level_sum[i] = level_sum[i] ^ hashed[i] ^ hashed[kPart + i];
          }
        }
        if constexpr (kLeaf) {
          hash<2 * kPart>(child, hashed, *leaf_key);
          for (int i = 0; i < kPart; ++i) leaf_sum[i] = leaf_sum[i] ^ hashed[i] ^ hashed[kPart + i];
        }
      }
      for (int i = 0; i < kPart; ++i) {
        sums.level.at[first + i] = level_sum[i];
        sums.leaf.at[first + i] = leaf_sum[i];
      }
    }
  }

  // Hashes a node. Those of the last level are leaves alone and are not needed again.
  void add_node(const Keys& keys, NodeKeys at, int level, int number, const Lanes<Block4>& node,
                std::uint8_t* scratch, Sums& sums) const {
    if (level < table_.levels) {
      const Lanes<Block4> hash = hash_lanes(node, keys[at.level]);
      node.store(node_at(scratch, number));
      hash.store(node_at(scratch, (1 << level) + number));
      sums.level = sums.level ^ hash;
    }
    if (converts(table_, level)) sums.leaf = sums.leaf ^ hash_lanes(node, keys[at.leaf]);
  }

  void store_half(int level, const Sums& sums, Block4 delta, std::uint8_t* state,
                  const std::uint8_t* scratch, std::uint8_t*& bundle) const {
    if (level < table_.levels) {
      const std::size_t share =
          place_.level_shares + kRowBytes * static_cast<std::size_t>(level - 1);
      const Lanes<Block4> half = (sums.level ^ delta) ^ Lanes<Block4>::load(scratch + share);
      put(half, state + correction_at(level + 1), bundle);
    }
    if (converts(table_, level)) {
      const std::size_t table =
          place_.leaf_tables + kRowBytes * static_cast<std::size_t>(leaf_digit(table_, level));
      const Lanes<Block4> half = sums.leaf ^ Lanes<Block4>::load(scratch + table);
      put(half, state + leaf_correction_at(level), bundle);
    }
  }
  static void put(const Lanes<Block4>& half, std::uint8_t* state, std::uint8_t*& bundle) {
    half.store(state);
    half.store(bundle);
    bundle += kRowBytes;
  }
  static void complete(std::uint8_t* state, const std::uint8_t*& received) {
    (Lanes<Block4>::load(state) ^ Lanes<Block4>::load(received)).store(state);
    received += kRowBytes;
  }

  // Returns the hashes, with the correction added where the node's lowest bit is 1.
  static Lanes<Block4> corrected(Lanes<Block4> hash, const Lanes<Block4>& node,
                                 const std::uint8_t* correction) {
    const Lanes<Block4> added = Lanes<Block4>::load(correction);
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      hash.at[i] = hash.at[i] ^ (node.at[i].color_mask() & added.at[i]);
    }
    return hash;
  }
  static Lanes<Block4> chosen(const Words& words, int bit, Block4 value) {
    Lanes<Block4> out;
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      out.at[i] = Block4::spread(words.at + 4 * i).where_bit(1u << bit, value);
    }
    return out;
  }

  // XORs each lane's entry of a digit, [lane][bytes], to `out`. The index is public, so memory is
  // read at it. Two neighbors of the whole table differ in the last digit alone, so the entry of
  // another digit belongs to both.
  void pick(const std::uint8_t* entries, std::size_t bytes, int digit, const Words& index,
            Words& out) const {
    const int shift = digit_shift(table_, digit);
    const std::uint32_t mask = (1u << digit_width(table_, digit)) - 1u;
    const auto stride = static_cast<std::uint32_t>(bytes);
    // In loops of their own, so that all but the reads vectorize.
    Words at;
    Words found;
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      at.at[lane] = stride * lane + (index.at[lane] >> shift & mask) / 8;
    }
    for (int lane = 0; lane < kLanes; ++lane) found.at[lane] = entries[at.at[lane]];
    const bool last = digit == table_.further_digits;
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::uint32_t entry = found.at[lane] >> ((index.at[lane] >> shift & mask) % 8);
      out.at[lane] ^= last ? entry : 0u - (entry & 1u);
    }
  }

  TableShape table_;
  TablePlace place_;
  int number_;
};

}  // namespace pi::fss
