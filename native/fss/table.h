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

// Says where a group's labels of a table lie.
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

  // The client's side; writes the corrections of all digits, from the top. `own` is null for zeros,
  // and has bits of the last digit alone.
  void request(const Keys& keys, Block4 delta, const Words& c, const Words* own,
               const TableLabels& labels, std::uint8_t* state, std::uint8_t* scratch,
               std::uint8_t*& corrections) const {
    for (int digit = 0; digit <= table_.further_digits && table_.bits > 0; ++digit) {
      const int width = digit_width(table_, digit);
      const int shift = digit_shift(table_, digit);
      const Words* flips = digit == table_.further_digits ? own : nullptr;
      const auto pad = [&](int stage, bool one) {
        const Lanes<Block4> label = label_of(labels.choices, shift + stage);
        return hash_lanes(one ? label ^ delta : label, keys[first_key_ + shift + stage]);
      };
      if (width <= WordDigit<Block4>::kMostWidth) {
        const WordDigit<Block4> butterfly(width);
        Words table = butterfly.theta(c, flips, shift);
        for (int stage = 0; stage < width; ++stage) {
          butterfly.correct(stage, first_words(pad(stage, false)), first_words(pad(stage, true)),
                            table, corrections);
        }
        keep(table, state);
      } else {
        with_width(width, [&]<int kWidth>() {
          using Digit = BlockDigit<Block4, kWidth>;
          Lanes<Block4> table = Digit::theta(c, flips, shift);
          for_stages<kWidth>([&]<int kStage>() {
            const Lanes<Block4> zero = pad(kStage, false);
            Digit::template correct<kStage>(zero, pad(kStage, true), table, corrections);
          });
          keep(digit, table, state, scratch);
        });
      }
    }
    share_levels(delta, c, labels, state, scratch);
  }

  // The server's side. `masks`: per lane, the mask from bit `first` on.
  void answer(const Keys& keys, Block4 delta, const Words& masks, int first,
              const TableLabels& labels, const std::uint8_t*& corrections, std::uint8_t* state,
              std::uint8_t* scratch) const {
    Lanes<Block4> spread;
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) spread.at[i] = Block4::spread(masks.at + 4 * i);
    for (int digit = 0; digit <= table_.further_digits && table_.bits > 0; ++digit) {
      const int width = digit_width(table_, digit);
      const int shift = digit_shift(table_, digit);
      // Inlined, so that a stage begins while its pads are in registers.
      const auto pad = [&](int stage) __attribute__((always_inline)) {
        return hash_lanes(label_of(labels.choices, shift + stage),
                          keys[first_key_ + shift + stage]);
      };
      if (width <= WordDigit<Block4>::kMostWidth) {
        const WordDigit<Block4> butterfly(width);
        Words table = {};
        for (int stage = 0; stage < width; ++stage) {
          butterfly.accept(stage, first_words(pad(stage)), masks, first + shift + stage,
                           corrections, table);
        }
        keep(table, state);
      } else {
        with_width(width, [&]<int kWidth>() {
          Lanes<Block4> table = Lanes<Block4>::zero();
          for_stages<kWidth>([&]<int kStage>() {
            BlockDigit<Block4, kWidth>::template accept<kStage>(
                pad(kStage), spread, first + shift + kStage, corrections, table);
          });
          keep(digit, table, state, scratch);
        });
      }
    }
    Words path = masks;
    for (std::uint32_t& lane : path.at) lane >>= first;
    share_levels(delta, path, labels, state, scratch);
  }

  void make_first_level(const Keys& keys, Block4 delta, std::uint8_t* state, std::uint8_t* scratch,
                        std::uint8_t*& bundle) const {
    tree_.make_first_level(keys, node_keys_, delta, state, scratch, bundle);
  }

 private:
  static Lanes<Block4> label_of(const std::uint8_t* labels, int position) {
    return Lanes<Block4>::load(labels + kRowBytes * static_cast<std::size_t>(position));
  }

  static Words first_words(const Lanes<Block4>& blocks) {
    return BlockWords<Block4, 1>(blocks).word[0];
  }

  // Calls body.operator()<6>() or <7>(), and body.operator()<stage>() for every stage of a width.
  template <class Body>
  static void with_width(int width, const Body& body) {
    if (width == kDigitBits) {
      body.template operator()<kDigitBits>();
    } else {
      body.template operator()<kDigitBits - 1>();
    }
  }
  template <int kWidth, int kStage = 0, class Body>
  static void for_stages(const Body& body) {
    body.template operator()<kStage>();
    if constexpr (kStage + 1 < kWidth) for_stages<kWidth, kStage + 1>(body);
  }

  // Keeps the table of a digit: the first one's entries, the others for the leaves. A copy of a
  // constant size is one instruction.
  void keep(int digit, const Lanes<Block4>& table, std::uint8_t* state,
            std::uint8_t* scratch) const {
    if (digit > 0) {
      table.store(scratch + place_.leaf_tables + kRowBytes * static_cast<std::size_t>(digit - 1));
    } else if (place_.entry_bytes == kBlockBytes) {
      table.store(state + place_.entries);
    } else {
      for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
        table.at[i].store_low_halves(state + place_.entries + 32 * i);
      }
    }
  }
  void keep(const Words& table, std::uint8_t* state) const {
    if (place_.entry_bytes == 1) return copy_entries<1>(table, state + place_.entries);
    if (place_.entry_bytes == 2) return copy_entries<2>(table, state + place_.entries);
    copy_entries<4>(table, state + place_.entries);
  }
  template <std::size_t kBytes>
  static void copy_entries(const Words& table, std::uint8_t* to) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      std::memcpy(to + kBytes * lane, table.at + lane, kBytes);
    }
  }

  // Keeps A_1 in the state and the later ones in the scratch.
  void share_levels(Block4 delta, const Words& choices, const TableLabels& labels,
                    std::uint8_t* state, std::uint8_t* scratch) const {
    for (int level = 1; level <= table_.levels; ++level) {
      const int bit = level_bit(table_, level);
      Lanes<Block4> share = label_of(labels.choices, bit) ^ label_of(labels.path, level - 1);
      for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
        share.at[i] = share.at[i] ^ Block4::spread(choices.at + 4 * i).where_bit(1u << bit, delta);
      }
      const auto place = kRowBytes * static_cast<std::size_t>(level - 2);
      share.store(level == 1 ? state + place_.first_share : scratch + place_.level_shares + place);
    }
  }

  TableShape table_;
  TablePlace place_;
  Tree<Block4> tree_;
  int first_key_ = 0;
  NodeKeys node_keys_;
};

}  // namespace pi::fss
