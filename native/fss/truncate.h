// Truncates x = u + v exactly, without ReLU (docs/threat-model-fss.md).
//
// X = x + offset + 2^30 is not negative, so the shares wrap iff the top bit of u or that of v is
// set. The product of both bits is shared by a COT that the client chooses by the top bit of v:
// with K the f-bit pads of its label, tau = K_0 + kappa - K_1, and the client has T = K_0 + v_top
// kappa. The carry of the low bits comes from a shared table, masked by rho of each party, and
// gamma_S + gamma_C = rho_S rho_C turns it into a sum.
#pragma once
#include "fss/groups.h"
#include "fss/lookup.h"
#include "fss/table.h"
#include "fss/window.h"

namespace pi::fss {

template <class Block4>
class Truncate {
  using P = Pieces<Block4>;
  using S = Streams<Block4>;
  static constexpr std::uint32_t kLift = 1u << 30;  // makes the sign known

 public:
  static void choices(const Call&, const Layout& layout, const std::uint32_t* v,
                      const std::uint32_t*, std::uint32_t* packed, std::size_t begin,
                      std::size_t end) {
    for (std::size_t group = begin; group < end; ++group) {
      const Words share = P::words_at(v + kLanes * group);
      std::uint32_t* out = packed + group * static_cast<std::size_t>(layout.request_ots);
      out[layout.top_label_at] = S::plane(share, 31);
      const Words carry = carry_limit<Block4>(share);
      for (int level = 1; level <= layout.carry.levels; ++level) {
        out[layout.carry_path_at + level - 1] = S::plane(carry, level_bit(layout.carry, level));
      }
    }
  }

  static void request(const Call& call, const Layout& layout, const RequestArguments& in,
                      std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    const int f = call.spec.truncate_bits;
    Places at(call, layout, in.hash_seed);
    for (std::size_t group = begin; group < end; ++group) {
      at.keys.begin_group(call.first_group + static_cast<std::uint32_t>(group), end - group);
      const RequestArguments buffers = at_group(in, layout, group);
      std::uint8_t* corrections = buffers.out_corrections;
      std::uint8_t* bundle = buffers.out_bundle;
      const Words v = P::words_at(buffers.v);
      const Words rho = S::of_planes(buffers.bits, 1);

      at.carry.request(at.keys, delta, carry_limit<Block4>(v), nullptr,
                       {label_row(buffers.choice_labels, layout.carry_choices_at),
                        label_row(buffers.request_labels, layout.carry_path_at)},
                       buffers.out_state, buffers.out_scratch, corrections);
      const PadPair<Block4> pads(label_row(buffers.choice_labels, layout.carry_select_at), delta,
                                 at.keys[at.product]);
      P::store_words(corrections, product_correction(pads, 0, rho));
      const Lanes<Block4> top =
          Lanes<Block4>::load(label_row(buffers.request_labels, layout.top_label_at));
      const BlockWords<Block4, 1> key(hash_lanes(top, at.keys[at.top]));
      Words high;
      Words carry;
      for (int q = 0; q < kLanes; ++q) {
        high.at[q] = v.at[q] >> f;
        carry.at[q] = rho.at[q] + 2 * pads.zero.word[0].at[q];  // rho_C - 2 gamma_C
      }
      std::uint8_t* words = buffers.out_state + layout.client_words;
      P::store_words(words, key.word[0]);
      P::store_words(words, high);
      P::store_words(words, carry);
      std::memcpy(words, buffers.bits, sizeof *buffers.bits);
      at.carry.make_first_level(at.keys, delta, buffers.out_state, buffers.out_scratch, bundle);
    }
  }

  static void answer(const Call& call, const Layout& layout, const AnswerArguments& in,
                     std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    Places at(call, layout, in.hash_seed);
    for (std::size_t group = begin; group < end; ++group) {
      at.keys.begin_group(call.first_group + static_cast<std::uint32_t>(group), end - group);
      const AnswerArguments buffers = at_group(in, layout, group);
      const std::uint8_t* corrections = buffers.corrections;
      std::uint8_t* bundle = buffers.out_bundle;
      std::uint8_t* opening = buffers.out_opening;
      const Words masks = S::of_planes(buffers.choices, layout.choice_ots);
      const Words kappa = S::of_planes(buffers.bits, 1);

      at.carry.answer(at.keys, delta, masks, layout.carry_choices_at,
                      {label_row(buffers.choice_labels, layout.carry_choices_at),
                       label_row(buffers.request_labels, layout.carry_path_at)},
                      corrections, buffers.out_state, buffers.out_scratch);
      const Lanes<Block4> label =
          Lanes<Block4>::load(label_row(buffers.choice_labels, layout.carry_select_at));
      const BlockWords<Block4, 1> pad(hash_lanes(label, at.keys[at.product]));
      const Words tau = P::load_words(corrections);
      const PadPair<Block4> top(label_row(buffers.request_labels, layout.top_label_at), delta,
                                at.keys[at.top]);
      S::store(opening, product_correction(top, 0, kappa), call.spec.truncate_bits);
      std::uint8_t* words = buffers.out_state + layout.server_words;
      P::store_words(words, top.zero.word[0]);
      P::store_words(words, product_share<Block4>(pad.word[0], masks, layout.carry_select_at, tau));
      std::memcpy(words, buffers.choices,
                  sizeof *buffers.choices * static_cast<std::size_t>(layout.choice_ots));
      words += sizeof *buffers.choices * static_cast<std::size_t>(layout.choice_ots);
      std::memcpy(words, buffers.bits, sizeof *buffers.bits);
      at.carry.make_first_level(at.keys, delta, buffers.out_state, buffers.out_scratch, bundle);
    }
  }

  static void accept_opening(const Call& call, const Layout& layout,
                             const AcceptOpeningArguments& in, std::size_t begin, std::size_t end) {
    const int f = call.spec.truncate_bits;
    for (std::size_t group = begin; group < end; ++group) {
      const std::uint8_t* opening = in.opening + group * layout.opening_group_bytes;
      std::uint8_t* words =
          in.state + group * layout.client_state_group_bytes + layout.client_words;
      const Words tau = S::load(opening, f);
      const std::uint8_t* from = words;
      const Words key = P::load_words(from);
      const Words high = P::load_words(from);
      P::store_words(words, product_share<Block4>(key, high, 31 - f, tau));
    }
  }

  static void encode(const Call& call, const Layout& layout, const EncodeArguments& in,
                     std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    const int f = call.spec.truncate_bits;
    Lookup<Block4> at(call, layout, in.hash_seed);
    for (std::size_t group = begin; group < end; ++group) {
      at.keys.begin_group(call.first_group + static_cast<std::uint32_t>(group), end - group);
      const EncodeArguments buffers = at_group(in, layout, group);
      std::uint8_t* message = buffers.out_message;
      std::uint8_t* kept = buffers.out_kept;
      const std::uint8_t* words = buffers.state + layout.server_words;
      const Words pad = P::load_words(words);
      const Words gamma = P::load_words(words);
      const Words masks = S::load_planes(words, layout.choice_ots);
      const Words kappa = P::load_bits(words);
      Words u = P::words_at(buffers.u);
      Words low;
      Words rho;
      for (int q = 0; q < kLanes; ++q) {
        u.at[q] += call.spec.offset + kLift;
        low.at[q] =
            (u.at[q] ^ masks.at[q] >> layout.carry_choices_at) & ((1u << layout.carry.bits) - 1u);
        rho.at[q] = masks.at[q] >> layout.carry_select_at & 1u;
      }
      const Words eta = at.look_up_carry(delta, buffers.state, low, rho);
      Words bit;
      Words versions[2];
      for (int q = 0; q < kLanes; ++q) {
        const std::uint32_t u_top = u.at[q] >> 31;
        bit.at[q] = u_top ^ kappa.at[q];
        const std::uint32_t fixed = (u.at[q] >> f) - (kLift >> f) -
                                    (u_top + P::negate_if(bit.at[q], pad.at[q])) * wrap_of(f);
        const std::uint32_t share = rho.at[q] - 2 * gamma.at[q];
        versions[0].at[q] = fixed + share;
        versions[1].at[q] = fixed + 1u - share;
      }
      P::store_bits(message, bit);
      S::store_planes(message, low, layout.carry.bits);
      P::store_bits(message, eta);
      P::store_words(kept, versions[0]);
      P::store_words(kept, versions[1]);
      P::store_bits(kept, eta);
    }
  }

  static void evaluate(const Call& call, const Layout& layout, const EvaluateArguments& in,
                       std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    const int f = call.spec.truncate_bits;
    Lookup<Block4> at(call, layout, in.hash_seed);
    for (std::size_t group = begin; group < end; ++group) {
      at.keys.begin_group(call.first_group + static_cast<std::uint32_t>(group), end - group);
      const EvaluateArguments buffers = at_group(in, layout, group);
      const std::uint8_t* message = buffers.message;
      const std::uint8_t* words = buffers.state + layout.client_words;
      const Words t = P::load_words(words);
      const Words high = P::load_words(words);
      const Words carry = P::load_words(words);
      const Words rho = P::load_bits(words);
      const Words bit = P::load_bits(message);
      const Words low = S::load_planes(message, layout.carry.bits);
      const Words eta = P::load_bits(message);
      const Words own = at.look_up_carry(delta, buffers.state, low, rho);
      Words z = P::words_at(buffers.next_mask);
      for (int q = 0; q < kLanes; ++q) {
        const std::uint32_t v_top = high.at[q] >> (31 - f);
        const std::uint32_t wraps = v_top - (bit.at[q] & v_top) - P::negate_if(bit.at[q], t.at[q]);
        z.at[q] = high.at[q] - wraps * wrap_of(f) +
                  P::negate_if(own.at[q] ^ eta.at[q], carry.at[q]) - z.at[q];
      }
      buffers.out_answer[0] = S::plane(own, 0);
      std::memcpy(buffers.out_z, z.at, sizeof z.at);
    }
  }

 private:
  struct Places {
    Places(const Call& call, const Layout& layout, const std::uint8_t* hash_seed)
        : keys(hash_seed, call.gadget),
          carry(layout.carry, layout.carry_place, 1, keys),
          product(keys.add(Purpose::kCarryProduct, 0, 0)),
          top(keys.add(Purpose::kTruncateTopBit, 0, 0)) {}
    PlaceKeys<Block4> keys;
    Table<Block4> carry;
    int product;
    int top;
  };

  static std::uint32_t wrap_of(int f) { return 1u << (32 - f); }
};

}  // namespace pi::fss
