// Looks up the tables of a gadget online: the sign's and the carry's, of which one may be empty.
#pragma once
#include "fss/steps.h"
#include "fss/tree.h"

namespace pi::fss {

template <class Block4>
struct Lookup {
  Lookup(const Call& call, const Layout& layout, const std::uint8_t* hash_seed)
      : keys(hash_seed, call.gadget),
        sign(layout.sign, layout.sign_place, 0),
        carry(layout.carry, layout.carry_place, 1) {
    sign.add_keys(keys, sign_keys);
    carry.add_keys(keys, carry_keys);
  }

  // Returns the party's share of the sign's table. The index is the low `bits` bits of w, above the
  // bit of the carry if the gadget is exact.
  Words look_up_sign(Block4 delta, const std::uint8_t* state, const Words& w, int bits,
                     bool exact) const {
    Words index;
    for (int q = 0; q < kLanes; ++q) {
      index.at[q] = (w.at[q] & ((1u << bits) - 1u)) << static_cast<int>(exact);
    }
    return sign.look_up(keys, sign_keys, delta, state, index);
  }

  // Returns the party's share of the carry, a bit, masked by bit 0 of its own `mask`.
  Words look_up_carry(Block4 delta, const std::uint8_t* state, const Words& index,
                      const Words& mask) const {
    Words bit = carry.look_up(keys, carry_keys, delta, state, index);
    for (int q = 0; q < kLanes; ++q) bit.at[q] = (bit.at[q] ^ mask.at[q]) & 1u;
    return bit;
  }

  PlaceKeys<Block4> keys;
  Tree<Block4> sign;
  Tree<Block4> carry;
  NodeKeys sign_keys[kMostLevels + 1];
  NodeKeys carry_keys[kMostLevels + 1];
};

}  // namespace pi::fss
