// Starts a shared table at each party: XOR shares of T[w] = [w xor mask xor own > c], the mask at
// the server, c and own at the client.
//
// Bit j of the index has a COT with choice mask_j, label q_j at the client and t_j at the server,
// and level i a COT with choice c at bit level_bit(i), label q'_i at the server and t'_i at the
// client. The shares A_i of the tree are
//
//   server   mask_j delta_S xor t_j xor q'_i        client   c_j delta_C xor q_j xor t'_i
#pragma once
#include "fss/butterfly.h"
#include "fss/tree.h"

namespace pi::fss {

// Says where a group's labels of a table stand.
struct TableLabels {
  const std::uint8_t* choices;  // of bit 0 on
  const std::uint8_t* path;     // of level 1 on
};

template <class Block4>
class Table {
 public:
  using Keys = PlaceKeys<Block4>;

  Table(const TableShape& table, const TablePlace& place, int number, Keys& keys)
      : table_(table), place_(place), tree_(table, place, number) {
    for (int bit = 0; bit < table.bits; ++bit) {
      const int key = keys.add(Purpose::kButterfly, bit, number);
      if (bit == 0) first_key_ = key;
    }
    node_keys_ = tree_.add_keys(keys, 1);
  }

  // The client's side; writes the corrections of all digits, from the top. `own` has bits below
  // the last digit's end alone.
  void request(const Keys& keys, Block4 delta, const Words& c, const Words& own,
               const TableLabels& labels, std::uint8_t* state, std::uint8_t* growth,
               std::uint8_t*& corrections) const {
    for (int digit = 0; digit <= table_.further_digits && table_.bits > 0; ++digit) {
      const Butterfly<Block4> butterfly(digit_width(table_, digit));
      const int shift = digit_shift(table_, digit);
      Lanes<Block4> table = butterfly.theta(c, own, shift);
      for (int stage = 0; stage < digit_width(table_, digit); ++stage) {
        const RoundKeys& key = keys[first_key_ + shift + stage];
        const Lanes<Block4> label = label_of(labels.choices, shift + stage);
        butterfly.correct(stage, hash_lanes(label, key), hash_lanes(label ^ delta, key), table,
                          corrections);
      }
      keep(digit, table, state, growth);
    }
    share_levels(delta, c, labels, state, growth);
  }

  // The server's side. `masks`: per lane, the mask from bit `first` on.
  void answer(const Keys& keys, Block4 delta, const Words& masks, int first,
              const TableLabels& labels, const std::uint8_t*& corrections, std::uint8_t* state,
              std::uint8_t* growth) const {
    for (int digit = 0; digit <= table_.further_digits && table_.bits > 0; ++digit) {
      const Butterfly<Block4> butterfly(digit_width(table_, digit));
      const int shift = digit_shift(table_, digit);
      Lanes<Block4> table = Lanes<Block4>::zero();
      for (int stage = 0; stage < digit_width(table_, digit); ++stage) {
        const Lanes<Block4> pad =
            hash_lanes(label_of(labels.choices, shift + stage), keys[first_key_ + shift + stage]);
        butterfly.accept(stage, pad, masks, first + shift + stage, corrections, table);
      }
      keep(digit, table, state, growth);
    }
    Words path = masks;
    for (std::uint32_t& lane : path.at) lane >>= first;
    share_levels(delta, path, labels, state, growth);
  }

  void plant(const Keys& keys, Block4 delta, std::uint8_t* state, std::uint8_t* growth,
             std::uint8_t*& bundle) const {
    tree_.plant(keys, node_keys_, delta, state, growth, bundle);
  }

 private:
  static Lanes<Block4> label_of(const std::uint8_t* labels, int position) {
    return Lanes<Block4>::load(labels + kRowBytes * static_cast<std::size_t>(position));
  }

  // Keeps the table of a digit: the first one's entries, the others for the leaves.
  void keep(int digit, const Lanes<Block4>& table, std::uint8_t* state,
            std::uint8_t* growth) const {
    if (digit > 0) {
      table.store(growth + place_.leaf_tables + kRowBytes * static_cast<std::size_t>(digit - 1));
      return;
    }
    alignas(64) std::uint8_t raw[kLanes][kBlockBytes];
    table.store(raw[0]);
    std::uint8_t* to = state + place_.entries;
    for (int lane = 0; lane < kLanes; ++lane, to += place_.entry_bytes) {
      std::memcpy(to, raw[lane], place_.entry_bytes);
    }
  }

  // Keeps A_1 in the state and the later ones in the growth.
  void share_levels(Block4 delta, const Words& choices, const TableLabels& labels,
                    std::uint8_t* state, std::uint8_t* growth) const {
    for (int level = 1; level <= table_.levels; ++level) {
      const int bit = level_bit(table_, level);
      Lanes<Block4> share = label_of(labels.choices, bit) ^ label_of(labels.path, level - 1);
      for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
        share.at[i] = share.at[i] ^ Block4::spread(choices.at + 4 * i).where_bit(1u << bit, delta);
      }
      const auto place = kRowBytes * static_cast<std::size_t>(level - 2);
      share.store(level == 1 ? state + place_.first_share : growth + place_.level_shares + place);
    }
  }

  TableShape table_;
  TablePlace place_;
  Tree<Block4> tree_;
  int first_key_ = 0;
  NodeKeys node_keys_;
};

}  // namespace pi::fss
