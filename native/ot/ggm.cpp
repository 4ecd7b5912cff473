// GGM trees of depth 4 (Goldreich, Goldwasser and Micali 1986) and their punctured form.
//
// A node s at level j has the children AES_s("pi-ggm/1" | tree | j | bit | 0...). Every node is a
// key of its own and encrypts these two blocks alone (a leaf: its counters alone), so AES is needed
// as a PRF only. Node numbers are the path's bits, lsb first: the child `bit` of p at level j is p
// + (bit << j), and the leaf at position delta's four bits is the one that stays unknown.
#include <cstring>

#include "ot/softspoken.h"
#include "symmetric/symmetric.h"

namespace pi {
namespace {

struct Seed {
  std::uint64_t half[2];
};

Seed load(const std::uint8_t* from) {
  Seed seed;
  std::memcpy(&seed, from, sizeof seed);
  return seed;
}

Seed operator^(Seed a, Seed b) { return {{a.half[0] ^ b.half[0], a.half[1] ^ b.half[1]}}; }

// mask: all ones or zero.
Seed operator&(Seed a, std::uint64_t mask) { return {{a.half[0] & mask, a.half[1] & mask}}; }

// All ones if a == b (both below 2^32), else zero, without a branch.
std::uint64_t equal_mask(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>((a ^ b) - 1) >> 63);
}

void children(Isa isa, std::size_t tree, int level, const Seed& node, Seed* out) {
  std::uint8_t blocks[2][kSeedBytes] = {};
  for (std::uint8_t bit = 0; bit < 2; ++bit) {
    std::memcpy(blocks[bit], "pi-ggm/1", 8);
    blocks[bit][8] = static_cast<std::uint8_t>(tree);
    blocks[bit][9] = static_cast<std::uint8_t>(level);
    blocks[bit][10] = bit;
  }
  std::uint8_t key[kSeedBytes];
  std::memcpy(key, &node, sizeof key);
  aes128_encrypt(isa, key, blocks[0], 2, reinterpret_cast<std::uint8_t*>(out));
  explicit_bzero(key, sizeof key);
}

// Replaces nodes 0 .. 2^level - 1 by their children; sums[bit] is the XOR of the children `bit`.
void descend(Isa isa, std::size_t tree, int level, Seed* nodes, Seed* sums) {
  const std::size_t width = std::size_t{1} << level;
  sums[0] = sums[1] = {};
  for (std::size_t p = 0; p < width; ++p) {
    Seed pair[2];
    children(isa, tree, level, nodes[p], pair);
    nodes[p] = pair[0];
    nodes[p + width] = pair[1];
    sums[0] = sums[0] ^ pair[0];
    sums[1] = sums[1] ^ pair[1];
  }
}

}  // namespace

void grow_trees(Isa isa, const std::uint8_t* roots, const std::uint8_t* base_pairs,
                std::uint8_t* leaves, std::uint8_t* message) {
  for (std::size_t tree = 0; tree < kTrees; ++tree) {
    Seed nodes[kLeaves] = {load(roots + kSeedBytes * tree)};
    for (int level = 0; level < kTreeDepth; ++level) {
      Seed sums[2];
      descend(isa, tree, level, nodes, sums);
      for (std::size_t bit = 0; bit < 2; ++bit) {
        const std::size_t at =
            kSeedBytes * (2 * (kTreeDepth * tree + static_cast<std::size_t>(level)) + bit);
        const Seed masked = sums[bit] ^ load(base_pairs + at);
        std::memcpy(message + at, &masked, sizeof masked);
      }
    }
    std::memcpy(leaves + sizeof nodes * tree, nodes, sizeof nodes);
    explicit_bzero(nodes, sizeof nodes);
  }
}

void puncture_trees(Isa isa, const std::uint8_t* delta, const std::uint8_t* base_keys,
                    const std::uint8_t* message, std::uint8_t* leaves) {
  for (std::size_t tree = 0; tree < kTrees; ++tree) {
    const std::uint64_t position = (delta[tree / 2] >> (4 * (tree % 2))) & 15u;
    // The unknown node (at the root: the only one) is held as zero. Its children are computed like
    // all others and masked out: one stays unknown, the sibling comes from the message.
    Seed nodes[kLeaves] = {};
    for (int level = 0; level < kTreeDepth; ++level) {
      const std::size_t width = std::size_t{1} << level;
      const std::uint64_t prefix = position & (width - 1);
      const std::uint64_t bit = (position >> level) & 1;
      Seed sums[2];
      descend(isa, tree, level, nodes, sums);
      for (std::size_t p = 0; p < 2 * width; ++p) {
        const Seed dropped = nodes[p] & equal_mask(p & (width - 1), prefix);
        nodes[p] = nodes[p] ^ dropped;
        sums[p >> level] = sums[p >> level] ^ dropped;
      }
      const std::size_t ot = kTreeDepth * tree + static_cast<std::size_t>(level);
      const std::uint8_t* masked = message + 2 * kSeedBytes * ot;
      // The base OT opened the row NOT bit.
      const Seed zero_row = load(masked) ^ sums[0];
      const Seed one_row = load(masked + kSeedBytes) ^ sums[1];
      const Seed row = one_row ^ ((one_row ^ zero_row) & equal_mask(bit, 1));
      const Seed sibling = row ^ load(base_keys + kSeedBytes * ot);
      const std::uint64_t at = prefix + ((bit ^ 1) << level);
      for (std::size_t p = 0; p < 2 * width; ++p) {
        nodes[p] = nodes[p] ^ (sibling & equal_mask(p, at));
      }
    }
    std::memcpy(leaves + sizeof nodes * tree, nodes, sizeof nodes);
    explicit_bzero(nodes, sizeof nodes);
  }
  static_assert(kTreeDepth == 4, "a nibble of delta is one position");
}

}  // namespace pi
