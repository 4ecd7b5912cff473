// Truncates x = u + v without ReLU (docs/threat-model.md, "Truncation").
//
// X = x + offset + 2^30 is not negative, so the shares wrap iff the top bit of u or that of v is
// set. e = (top of u) xor kappa hides the garbler's bit; the product of the two top bits is shared
// by one row under the pad of the evaluator's bit. If exact, an adder over the low bits
// gives the carry. The pads are:
//
//   H(top of v) word 0  evaluator knows that of its bit     tau: the wrap
//   H(carry) word 0     evaluator knows one of two colors   exact: the carry's row
#pragma once
#include "garble/accept.h"
#include "garble/adder.h"
#include "garble/gadget.h"
#include "garble/pads_by_color.h"

namespace pi {

template <class Block4>
class Truncate {
  using P = Pieces<Block4>;
  static constexpr int kCarryKey = 0;
  static constexpr int kTopKey = 1;
  static constexpr std::uint32_t kLift = 1u << 30;  // makes the sign known

 public:
  static void garble(const GadgetCall& call, const GadgetLayout& layout, const GarbleArguments& in,
                     std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    GarblerLabels<Block4> garbler(in.label_seed, call.gadget);
    const auto gates = static_cast<std::size_t>(layout.gate_count);
    for (std::size_t group = begin; group < end; ++group) {
      const std::uint32_t number = call.first_group + static_cast<std::uint32_t>(group);
      const GroupKeys<Block4> keys(in.hash_seed, call.gadget, number, layout,
                                   {Purpose::kCarry, Purpose::kTruncateTopBit});
      const std::uint8_t* labels = in.zero_labels + group * (gates + 1) * kRowBytes;
      std::uint8_t* garbled = in.out_garbled + group * layout.garbled_group_bytes;
      std::uint8_t* state = in.out_state + group * layout.state_group_bytes;
      garbler.begin_group(number);
      const Carries<Block4> carries = garble_adder(keys, garbler, delta, layout, labels, garbled);

      const Lanes<Block4> top = Lanes<Block4>::load(labels + gates * kRowBytes);
      const BlockWords<Block4, 1> zero(hash_lanes(top, keys.output(kTopKey)));
      const BlockWords<Block4, 1> one(hash_lanes(top ^ delta, keys.output(kTopKey)));
      const Words kappa = garbler.random_bits();
      Words tau;
      for (int q = 0; q < kLanes; ++q) {
        tau.at[q] = zero.word[0].at[q] + kappa.at[q] - one.word[0].at[q];
      }
      P::store_words(garbled, tau);
      P::store_words(state, zero.word[0]);
      if (layout.carry_at >= 0) {
        const PadsByColor<Block4, 1> carry(carries.kept, delta, keys.output(kCarryKey));
        Words row;
        Words garbler_share;
        for (int q = 0; q < kLanes; ++q) {
          garbler_share.at[q] = carry.of[0].word[0].at[q] - carry.zero_color.at[q];
          row.at[q] = garbler_share.at[q] + 1u - carry.zero_color.at[q] - carry.of[1].word[0].at[q];
        }
        P::store_words(garbled, row);
        P::store_words(state, garbler_share);
      }
      P::store_bits(state, kappa);
    }
  }

  // Replaces tau by T = K(active) + v_top tau = K(zero label) + v_top kappa.
  static void accept(const GadgetCall& call, const GadgetLayout& layout, const AcceptArguments& in,
                     std::size_t begin, std::size_t end) {
    accept_rows<Block4, 1>(call, layout, in, Purpose::kTruncateTopBit, begin, end);
  }

  static void encode(const GadgetCall& call, const GadgetLayout& layout, const EncodeArguments& in,
                     std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    GarblerLabels<Block4> garbler(in.label_seed, call.gadget);
    const int f = call.spec.truncate_bits;
    const std::uint32_t wrap = wrap_of(f);
    const auto gates = static_cast<std::size_t>(layout.gate_count);
    for (std::size_t group = begin; group < end; ++group) {
      const std::uint8_t* state = in.state + group * layout.state_group_bytes;
      std::uint8_t* message = in.out_message + group * layout.online_group_bytes;
      Words u = P::words_at(in.u + kLanes * group);
      for (int q = 0; q < kLanes; ++q) u.at[q] += call.spec.offset + kLift;
      if (gates > 0) {
        garbler.begin_group(call.first_group + static_cast<std::uint32_t>(group));
        encode_labels(garbler, delta, layout, u, message);
      }
      const Words pad = P::load_words(state);
      const Words carry = layout.carry_at >= 0 ? P::load_words(state) : Words{};
      const Words kappa = P::load_bits(state);
      Words e;
      std::uint32_t* out_mask = in.out_mask + kLanes * group;
      for (int q = 0; q < kLanes; ++q) {
        const std::uint32_t u_top = u.at[q] >> 31;
        e.at[q] = u_top ^ kappa.at[q];
        out_mask[q] = carry.at[q] + (kLift >> f) - (u.at[q] >> f) +
                      (u_top + P::negate_if(e.at[q], pad.at[q])) * wrap;
      }
      P::store_bits(message, e);
    }
  }

  static void evaluate(const GadgetCall& call, const GadgetLayout& layout,
                       const EvaluateArguments& in, std::size_t begin, std::size_t end) {
    const int f = call.spec.truncate_bits;
    const std::uint32_t wrap = wrap_of(f);
    const auto gates = static_cast<std::size_t>(layout.gate_count);
    for (std::size_t group = begin; group < end; ++group) {
      const std::uint8_t* garbled = in.garbled + group * layout.garbled_group_bytes;
      const std::uint8_t* message = in.message + group * layout.online_group_bytes;
      Words z = P::words_at(in.next_mask + kLanes * group);
      const std::uint8_t* words = garbled + layout.block_bytes;
      const Words t = P::load_words(words);
      if (layout.carry_at >= 0) {
        const std::uint32_t number = call.first_group + static_cast<std::uint32_t>(group);
        const GroupKeys<Block4> keys(in.hash_seed, call.gadget, number, layout, {Purpose::kCarry});
        const Carries<Block4> carries = evaluate_adder(
            keys, layout, in.active_labels + group * (gates + 1) * kRowBytes, message, garbled);
        const Words color = colors(carries.kept);
        const BlockWords<Block4, 1> pad(hash_lanes(carries.kept, keys.output(kCarryKey)));
        const Words row = P::load_words(words);
        for (int q = 0; q < kLanes; ++q) {
          z.at[q] -= pad.word[0].at[q] + P::times_bit(color.at[q], row.at[q]);
        }
      }
      const Words v = P::words_at(in.v + kLanes * group);
      const Words e = P::load_bits(message);
      for (int q = 0; q < kLanes; ++q) {
        const std::uint32_t v_top = v.at[q] >> 31;
        const std::uint32_t wraps = v_top - (e.at[q] & v_top) - P::negate_if(e.at[q], t.at[q]);
        z.at[q] = (v.at[q] >> f) - wraps * wrap - z.at[q];
      }
      std::memcpy(in.out_z + kLanes * group, z.at, sizeof z.at);
    }
  }

 private:
  static std::uint32_t wrap_of(int f) { return f == 0 ? 0 : 1u << (32 - f); }
};

}  // namespace pi
