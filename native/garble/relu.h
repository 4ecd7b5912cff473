// Computes ReLU and truncation of x = u + v in one round (docs/threat-model.md, "ReLU").
//
// The circuit yields t = (x + offset >= 0) over the window; its active label has color c. A random
// bit pi hides the sign: the evaluator learns cs = c xor e, and d = cs xor pi is the sign. The pads
// are:
//
//   H(t) word 0             evaluator knows one of two colors   the payload under color c
//   H(top of v) words 0..2  evaluator knows that of its bit     the window's wrap, rows X1 X2 X3
//   H(carry) words 0, 1     evaluator knows one of two colors   exact: carry into bit f, rows XA XB
//
// Each (label, tweak) is hashed for one of these lines only, and its words are disjoint pads.
#pragma once
#include "garble/accept.h"
#include "garble/adder.h"
#include "garble/gadget.h"
#include "garble/pads_by_color.h"

namespace pi {

template <class Block4>
class Relu {
  using P = Pieces<Block4>;
  static constexpr int kSignKey = 0;
  static constexpr int kCarryKey = 1;
  static constexpr int kTopKey = 2;

 public:
  static void garble(const GadgetCall& call, const GadgetLayout& layout, const GarbleArguments& in,
                     std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    GarblerLabels<Block4> garbler(in.label_seed, call.gadget);
    const auto gates = static_cast<std::size_t>(layout.gate_count);
    for (std::size_t group = begin; group < end; ++group) {
      const std::uint32_t number = call.first_group + static_cast<std::uint32_t>(group);
      const GroupKeys<Block4> keys(in.hash_seed, call.gadget, number, layout,
                                   {Purpose::kSign, Purpose::kCarry, Purpose::kTopBit});
      const std::uint8_t* labels = in.zero_labels + group * (gates + 1) * kRowBytes;
      std::uint8_t* garbled = in.out_garbled + group * layout.garbled_group_bytes;
      std::uint8_t* state = in.out_state + group * layout.state_group_bytes;
      garbler.begin_group(number);
      const Carries<Block4> carries = garble_adder(keys, garbler, delta, layout, labels, garbled);

      Words pi;
      for (std::size_t q = 0; q < kLanes; ++q) pi.at[q] = in.select_bits[kLanes * group + q] & 1u;
      const Lanes<Block4> top = Lanes<Block4>::load(labels + gates * kRowBytes);
      // t = NOT(top xor carry): the top bit of u, which has no label, is folded into pi and e.
      const PadsByColor<Block4, 1> sign(top ^ carries.last ^ delta, delta, keys.output(kSignKey));
      garble_wrap(top, delta, keys.output(kTopKey), pi, sign, in.alpha + kLanes * group, garbled,
                  state);
      if (layout.carry_at < 0) {
        P::store_bits(state, pi);
        P::store_bits(state, sign.zero_color);
      } else {
        const PadsByColor<Block4, 2> carry(carries.kept, delta, keys.output(kCarryKey));
        garble_carry(carry, pi, garbled, state);
        P::store_bits(state, pi);
        P::store_bits(state, sign.zero_color);
        P::store_bits(state, carry.zero_color);
      }
    }
  }

  // Replaces X_i by R_i = Q_i(active) + v_top X_i = Q_i(zero label) + v_top A_i.
  static void accept(const GadgetCall& call, const GadgetLayout& layout, const AcceptArguments& in,
                     std::size_t begin, std::size_t end) {
    accept_rows<Block4, 3>(call, layout, in, Purpose::kTopBit, begin, end);
  }

  static void encode(const GadgetCall& call, const GadgetLayout& layout, const EncodeArguments& in,
                     std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    GarblerLabels<Block4> garbler(in.label_seed, call.gadget);
    const Window window(call.spec);
    for (std::size_t group = begin; group < end; ++group) {
      const std::uint8_t* state = in.state + group * layout.state_group_bytes;
      std::uint8_t* message = in.out_message + group * layout.online_group_bytes;
      Words u = P::words_at(in.u + kLanes * group);
      for (int q = 0; q < kLanes; ++q) u.at[q] += call.spec.offset;
      garbler.begin_group(call.first_group + static_cast<std::uint32_t>(group));
      encode_labels(garbler, delta, layout, u, message);

      const Words row0 = P::load_words(state);
      const Words difference = P::load_words(state);
      const Words alpha = P::load_words(state);
      const Words q1 = P::load_words(state);
      const Words q2 = P::load_words(state);
      const Words q3 = P::load_words(state);
      const bool exact = layout.carry_at >= 0;
      const Words pa = exact ? P::load_words(state) : Words{};
      const Words pb = exact ? P::load_words(state) : Words{};
      const Words pi = P::load_bits(state);
      const Words sign_color = P::load_bits(state);
      const Words carry_color = exact ? P::load_bits(state) : Words{};

      Words e;
      Words payload;
      std::uint32_t* out_mask = in.out_mask + kLanes * group;
      for (int q = 0; q < kLanes; ++q) {
        e.at[q] = ((u.at[q] >> layout.top_bit) & 1u) ^ sign_color.at[q] ^ pi.at[q];
        // y and d of the derivation at cs = 0 and cs = 1: the payload if the evaluator sees cs.
        const std::uint32_t value = window.of(u.at[q]) + carry_color.at[q];
        const std::uint32_t wrap =
            P::times_bit(e.at[q], q2.at[q]) + P::negate_if(e.at[q], q3.at[q]);
        const std::uint32_t common = alpha.at[q] - pb.at[q] - wrap * window.wrap;
        const std::uint32_t at0 = P::times_bit(pi.at[q], value) + common;
        const std::uint32_t at1 = P::times_bit(1u - pi.at[q], value) - common - pa.at[q] -
                                  P::negate_if(e.at[q], q1.at[q]) * window.wrap;
        // Color 0 means cs = e.
        out_mask[q] = row0.at[q] - P::choose(e.at[q], at1, at0);
        payload.at[q] = difference.at[q] + P::negate_if(e.at[q], at1 - at0);
      }
      P::store_words(message, payload);
      P::store_bits(message, e);
    }
  }

  static void evaluate(const GadgetCall& call, const GadgetLayout& layout,
                       const EvaluateArguments& in, std::size_t begin, std::size_t end) {
    const Window window(call.spec);
    const auto gates = static_cast<std::size_t>(layout.gate_count);
    const bool exact = layout.carry_at >= 0;
    for (std::size_t group = begin; group < end; ++group) {
      const GroupKeys<Block4> keys(in.hash_seed, call.gadget,
                                   call.first_group + static_cast<std::uint32_t>(group), layout,
                                   {Purpose::kSign, Purpose::kCarry});
      const std::uint8_t* labels = in.active_labels + group * (gates + 1) * kRowBytes;
      const std::uint8_t* garbled = in.garbled + group * layout.garbled_group_bytes;
      const std::uint8_t* message = in.message + group * layout.online_group_bytes;
      const Carries<Block4> carries = evaluate_adder(keys, layout, labels, message, garbled);

      const Lanes<Block4> sign = Lanes<Block4>::load(labels + gates * kRowBytes) ^ carries.last;
      const Words color = colors(sign);
      const BlockWords<Block4, 1> pad(hash_lanes(sign, keys.output(kSignKey)));
      const Words v = P::words_at(in.v + kLanes * group);
      const Words beta = P::words_at(in.beta + kLanes * group);
      const Words r1 = P::load_words(garbled);
      const Words r2 = P::load_words(garbled);
      const Words r3 = P::load_words(garbled);
      const Words payload = P::load_words(message);
      const Words e = P::load_bits(message);
      Words z = P::words_at(in.next_mask + kLanes * group);
      Words cs;
      for (int q = 0; q < kLanes; ++q) {
        cs.at[q] = color.at[q] ^ e.at[q];
        const std::uint32_t v_top = (v.at[q] >> layout.top_bit) & 1u;
        const std::uint32_t seen = (v_top & e.at[q]) + P::negate_if(e.at[q], r1.at[q]);
        const std::uint32_t hidden =
            P::times_bit(e.at[q], r2.at[q]) + P::negate_if(e.at[q], r3.at[q]);
        const std::uint32_t wrap = P::times_bit(cs.at[q], seen) + P::negate_if(cs.at[q], hidden);
        z.at[q] = pad.word[0].at[q] + P::times_bit(color.at[q], payload.at[q]) +
                  P::times_bit(cs.at[q], window.of(v.at[q])) + P::negate_if(cs.at[q], beta.at[q]) +
                  wrap * window.wrap - z.at[q];
      }
      if (exact) add_carry(carries.kept, keys.output(kCarryKey), cs, garbled, z);
      std::memcpy(in.out_z + kLanes * group, z.at, sizeof z.at);
    }
  }

 private:
  // Computes the window of a share without its low bits as a signed number, and the weight of its
  // wrap.
  struct Window {
    explicit Window(const GadgetSpec& spec)
        : up(31 - spec.window_bits),
          down(up + spec.truncate_bits),
          wrap(down == 0 ? 0 : 1u << (32 - down)) {}
    std::uint32_t of(std::uint32_t share) const {
      return static_cast<std::uint32_t>(static_cast<std::int32_t>(share << up) >> down);
    }
    int up;
    int down;
    std::uint32_t wrap;  // 2^m, m bits in the window
  };

  // Writes rows X_i and the state's first six words.
  static void garble_wrap(const Lanes<Block4>& top, Block4 delta, const RoundKeys& key,
                          const Words& pi, const PadsByColor<Block4, 1>& sign,
                          const std::uint32_t* alpha, std::uint8_t*& garbled,
                          std::uint8_t*& state) {
    const BlockWords<Block4, 3> zero(hash_lanes(top, key));
    const BlockWords<Block4, 3> one(hash_lanes(top ^ delta, key));
    Words difference;
    Words x[3];
    for (int q = 0; q < kLanes; ++q) {
      const std::uint32_t kappa = sign.zero_color.at[q] ^ pi.at[q];
      difference.at[q] = sign.of[0].word[0].at[q] - sign.of[1].word[0].at[q];
      x[0].at[q] = zero.word[0].at[q] + kappa - one.word[0].at[q];
      x[1].at[q] = zero.word[1].at[q] + pi.at[q] - one.word[1].at[q];
      x[2].at[q] = zero.word[2].at[q] + (pi.at[q] & kappa) - one.word[2].at[q];
    }
    for (const Words& row : x) P::store_words(garbled, row);
    P::store_words(state, sign.of[0].word[0]);
    P::store_words(state, difference);
    P::store_words(state, P::words_at(alpha));
    for (const Words& pad : zero.word) P::store_words(state, pad);
  }

  // Writes rows XA and XB and the state's last two words.
  static void garble_carry(const PadsByColor<Block4, 2>& carry, const Words& pi,
                           std::uint8_t*& garbled, std::uint8_t*& state) {
    Words xa;
    Words xb;
    for (int q = 0; q < kLanes; ++q) {
      const std::uint32_t step = 1u - 2u * carry.zero_color.at[q];
      xa.at[q] = carry.of[0].word[0].at[q] + step - carry.of[1].word[0].at[q];
      xb.at[q] =
          carry.of[0].word[1].at[q] + P::times_bit(pi.at[q], step) - carry.of[1].word[1].at[q];
    }
    P::store_words(garbled, xa);
    P::store_words(garbled, xb);
    for (const Words& pad : carry.of[0].word) P::store_words(state, pad);
  }

  // Computes the evaluator's share of d times the carry into bit f, less the part in the garbler's
  // payload.
  static void add_carry(const Lanes<Block4>& carry, const RoundKeys& key, const Words& cs,
                        const std::uint8_t* rows, Words& z) {
    const Words color = colors(carry);
    const BlockWords<Block4, 2> pads(hash_lanes(carry, key));
    const Words xa = P::load_words(rows);
    const Words xb = P::load_words(rows);
    for (int q = 0; q < kLanes; ++q) {
      const std::uint32_t a = pads.word[0].at[q] + P::times_bit(color.at[q], xa.at[q]);
      const std::uint32_t b = pads.word[1].at[q] + P::times_bit(color.at[q], xb.at[q]);
      z.at[q] += P::times_bit(cs.at[q], a) + P::negate_if(cs.at[q], b);
    }
  }
};

}  // namespace pi
