// Holds the garbler's pads of an output wire by color.
#pragma once
#include "symmetric/lanes.h"

namespace pi {

// of[c] is H(the label with color c), its first kCount words.
template <class Block4, int kCount>
struct PadsByColor {
  Words zero_color;  // the color of the zero label, which only the garbler knows
  BlockWords<Block4, kCount> of[2];

  PadsByColor(const Lanes<Block4>& zero, Block4 delta, const RoundKeys& keys)
      : PadsByColor(zero, hash_lanes(zero, keys), hash_lanes(zero ^ delta, keys)) {}

 private:
  PadsByColor(const Lanes<Block4>& zero, const Lanes<Block4>& h0, const Lanes<Block4>& h1)
      : zero_color(colors(zero)), of{pick(zero, h0, h1), pick(zero, h1, h0)} {}

  // Returns h0 where the zero label has color 0, else h1.
  static BlockWords<Block4, kCount> pick(const Lanes<Block4>& zero, const Lanes<Block4>& h0,
                                         const Lanes<Block4>& h1) {
    Lanes<Block4> out;
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      out.at[i] = h0.at[i] ^ (zero.at[i].color_mask() & (h0.at[i] ^ h1.at[i]));
    }
    return BlockWords<Block4, kCount>(out);
  }
};

}  // namespace pi
