// Multiplies a bit that the server chose in a correlated OT by a value of the client.
//
// X_b = a word of H(label_b). The client sends tau = X_0 + value - X_1 and has the share -X_0; the
// server, with bit b, has X_b + b tau. (Asharov, Lindell, Schneider and Zohner, CCS 2013, section
// 5.4.)
#pragma once
#include "symmetric/lanes.h"

namespace pi::fss {

// Returns the labels of a group, null if there are none yet, and those of a position in a group.
[[gnu::always_inline]] inline const std::uint8_t* group_labels(const std::uint8_t* labels,
                                                               std::size_t group, int count) {
  if (labels == nullptr) return nullptr;
  return labels + kRowBytes * group * static_cast<std::size_t>(count);
}
[[gnu::always_inline]] inline const std::uint8_t* label_row(const std::uint8_t* labels,
                                                            int position) {
  return labels + kRowBytes * static_cast<std::size_t>(position);
}

// Holds the first two words of the hashes of both labels, at the party that knows delta.
template <class Block4>
struct PadPair {
  PadPair(const std::uint8_t* zero_label, Block4 delta, const RoundKeys& key)
      : zero(hash_lanes(Lanes<Block4>::load(zero_label), key)),
        one(hash_lanes(Lanes<Block4>::load(zero_label) ^ delta, key)) {}

  BlockWords<Block4, 2> zero;
  BlockWords<Block4, 2> one;
};

// Computes the correction of the product with `value`, by word `word` of the pads.
template <class Block4>
Words product_correction(const PadPair<Block4>& pads, int word, const Words& value) {
  Words tau;
  for (int q = 0; q < kLanes; ++q) {
    tau.at[q] = pads.zero.word[word].at[q] + value.at[q] - pads.one.word[word].at[q];
  }
  return tau;
}

// Computes the server's share. `bits`: its bit at bit `position` of every lane.
template <class Block4>
Words product_share(const Words& pad, const Words& bits, int position, const Words& tau) {
  Words share;
  for (int q = 0; q < kLanes; ++q) {
    const std::uint32_t bit = bits.at[q] >> position & 1u;
    share.at[q] = pad.at[q] + Pieces<Block4>::times_bit(bit, tau.at[q]);
  }
  return share;
}

}  // namespace pi::fss
