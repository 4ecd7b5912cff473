// Prepares a ReLU: the table of the carry into its sign, and products with bits of the server.
//
// The pads are (docs/threat-model-fss.md):
//
//   butterfly, tree      the tables
//   H_wrap               of the label of m_top: a_S + a_C = m_top v_top mod 2^g
//   H_payload            of the label of pi: alpha + beta = pi X, X = x0 + 2^M w_top step
//   H_choice             of the label of e: keys K_0 and K_1, of which the client holds K_e
//   H_carry              exact: of the label of rho_S, gamma_S + gamma_C = rho_S rho_C
//
// If exact, the carry into bit f is E_S + E_C only once it is known masked; so there are two
// versions of the payload, with select bits of their own.
#pragma once
#include "fss/groups.h"
#include "fss/products.h"
#include "fss/table.h"
#include "fss/window.h"

namespace pi::fss {

template <class Block4>
class ReluOffline {
  using P = Pieces<Block4>;
  using S = Streams<Block4>;

 public:
  static void request(const Call& call, const Layout& layout, const RequestArguments& in,
                      std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    const Window<Block4> window(call.spec);
    const bool exact = layout.carry.bits > 0;
    Places at(call, layout, in.hash_seed);
    for (std::size_t group = begin; group < end; ++group) {
      at.keys.begin_group(call.first_group + static_cast<std::uint32_t>(group), end - group);
      const RequestArguments buffers = at_group(in, layout, group);
      std::uint8_t* corrections = buffers.out_corrections;
      std::uint8_t* bundle = buffers.out_bundle;
      const Words v = P::words_at(buffers.v);
      const Words rho = exact ? S::of_planes(buffers.bits + 1, 1) : Words{};

      at.sign.request(at.keys, delta, window.sign_limit(v, exact), exact ? &rho : nullptr,
                      {buffers.choice_labels, buffers.request_labels}, buffers.out_state,
                      buffers.out_scratch, corrections);
      if (exact) {
        at.carry.request(at.keys, delta, carry_limit<Block4>(v), nullptr,
                         {label_row(buffers.choice_labels, layout.carry_choices_at),
                          label_row(buffers.request_labels, layout.carry_path_at)},
                         buffers.out_state, buffers.out_scratch, corrections);
      }
      std::uint8_t* words = buffers.out_state + layout.client_words;
      std::uint8_t* planes = buffers.out_state + layout.client_planes;
      request_products(at, layout, window, delta, buffers.choice_labels, v, rho, corrections,
                       words);
      const BlockWords<Block4, kMostVersions> key(
          hash_lanes(Lanes<Block4>::load(label_row(buffers.request_labels, layout.eps_label_at)),
                     at.keys[at.choice]));
      for (int version = 0; version < layout.versions; ++version) {
        const std::size_t place = kWordRow * static_cast<std::size_t>(4 * version + 4);
        std::memcpy(buffers.out_state + layout.client_words + place, key.word[version].at,
                    kWordRow);
      }
      const std::uint32_t top = S::plane(v, 31 - window.up);
      std::memcpy(planes, &top, sizeof top);
      std::memcpy(planes + sizeof top, buffers.bits,
                  sizeof *buffers.bits * static_cast<std::size_t>(layout.client_bits));
      at.sign.make_first_level(at.keys, delta, buffers.out_state, buffers.out_scratch, bundle);
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
      const Words masks = S::of_planes(buffers.choices, layout.select_at + layout.versions);

      at.sign.answer(at.keys, delta, masks, 0, {buffers.choice_labels, buffers.request_labels},
                     corrections, buffers.out_state, buffers.out_scratch);
      if (layout.carry.bits > 0) {
        at.carry.answer(at.keys, delta,
                        S::of_planes(buffers.choices + layout.carry_choices_at, layout.carry.bits),
                        0,
                        {label_row(buffers.choice_labels, layout.carry_choices_at),
                         label_row(buffers.request_labels, layout.carry_path_at)},
                        corrections, buffers.out_state, buffers.out_scratch);
      }
      std::uint8_t* words = buffers.out_state + layout.server_words;
      answer_products(at, layout, buffers.choice_labels, masks, corrections, words);
      const Lanes<Block4> zero =
          Lanes<Block4>::load(label_row(buffers.request_labels, layout.eps_label_at));
      const BlockWords<Block4, kMostVersions> keys[2] = {
          BlockWords<Block4, kMostVersions>(hash_lanes(zero, at.keys[at.choice])),
          BlockWords<Block4, kMostVersions>(hash_lanes(zero ^ delta, at.keys[at.choice]))};
      for (int version = 0; version < layout.versions; ++version) {
        P::store_words(words, keys[0].word[version]);
        P::store_words(words, keys[1].word[version]);
      }
      std::memcpy(words, buffers.choices,
                  sizeof *buffers.choices * static_cast<std::size_t>(layout.choice_ots));
      at.sign.make_first_level(at.keys, delta, buffers.out_state, buffers.out_scratch, bundle);
      at.carry.make_first_level(at.keys, delta, buffers.out_state, buffers.out_scratch, bundle);
    }
  }

  static void choices(const Call& call, const Layout& layout, const std::uint32_t* v,
                      const std::uint32_t* bits, std::uint32_t* packed, std::size_t begin,
                      std::size_t end) {
    const Window<Block4> window(call.spec);
    for (std::size_t group = begin; group < end; ++group) {
      const Words share = P::words_at(v + kLanes * group);
      std::uint32_t* out = packed + group * static_cast<std::size_t>(layout.request_ots);
      const Words sign = window.sign_limit(share, layout.carry.bits > 0);
      for (int level = 1; level <= layout.sign.levels; ++level) {
        out[level - 1] = S::plane(sign, level_bit(layout.sign, level));
      }
      const Words carry = carry_limit<Block4>(share);
      for (int level = 1; level <= layout.carry.levels; ++level) {
        out[layout.carry_path_at + level - 1] = S::plane(carry, level_bit(layout.carry, level));
      }
      out[layout.eps_label_at] = bits[group * static_cast<std::size_t>(layout.client_bits)];
    }
  }

 private:
  static constexpr std::size_t kWordRow = sizeof(Words);

  // Holds the keys of all places of a group.
  struct Places {
    Places(const Call& call, const Layout& layout, const std::uint8_t* hash_seed)
        : keys(hash_seed, call.gadget),
          sign(layout.sign, layout.sign_place, 0, keys),
          carry(layout.carry, layout.carry_place, 1, keys),
          wrap(keys.add(Purpose::kWrapProduct, 0, 0)),
          choice(keys.add(Purpose::kPayloadChoice, 0, 0)) {
      for (int version = 0; version < layout.versions; ++version) {
        payload[version] = keys.add(Purpose::kPayload, version, 0);
      }
      if (layout.carry.bits > 0) product = keys.add(Purpose::kCarryProduct, 0, 0);
    }
    PlaceKeys<Block4> keys;
    Table<Block4> sign;
    Table<Block4> carry;
    int wrap;
    int choice;
    int payload[kMostVersions] = {};
    int product = 0;
  };

  // Writes the corrections of all products, and the client's words without its keys.
  static void request_products(const Places& at, const Layout& layout, const Window<Block4>& window,
                               Block4 delta, const std::uint8_t* choices, const Words& v,
                               const Words& rho, std::uint8_t*& corrections, std::uint8_t* words) {
    Words carry = {};  // E_C of version 0; that of version 1 is its negative
    if (layout.carry.bits > 0) {
      const PadPair<Block4> pads(label_row(choices, layout.carry_select_at), delta,
                                 at.keys[at.product]);
      P::store_words(corrections, product_correction(pads, 0, rho));
      for (int q = 0; q < kLanes; ++q) carry.at[q] = rho.at[q] + 2 * pads.zero.word[0].at[q];
    }
    const PadPair<Block4> wrap(label_row(choices, layout.top_mask_at), delta, at.keys[at.wrap]);
    Words top;
    Words step;
    Words base;
    for (int q = 0; q < kLanes; ++q) {
      const std::uint32_t share = 0u - wrap.zero.word[0].at[q];  // a_C; only g bits of it count
      top.at[q] = v.at[q] >> (31 - window.up) & 1u;
      step.at[q] = top.at[q] - 2 * share;
      base.at[q] = window.of(v.at[q]) + window.wrap * share;
    }
    S::store(corrections, product_correction(wrap, 0, top), layout.wrap_bits);
    P::store_words(words, step);
    for (int version = 0; version < layout.versions; ++version) {
      const PadPair<Block4> pads(label_row(choices, layout.select_at + version), delta,
                                 at.keys[at.payload[version]]);
      Words x0;
      Words beta[2];
      for (int q = 0; q < kLanes; ++q) {
        x0.at[q] = base.at[q] + P::negate_if(static_cast<std::uint32_t>(version), carry.at[q]);
        beta[0].at[q] = 0u - pads.zero.word[0].at[q];
        beta[1].at[q] = 0u - pads.zero.word[1].at[q];
      }
      P::store_words(corrections, product_correction(pads, 0, x0));
      S::store(corrections, product_correction(pads, 1, step), layout.wrap_bits);
      P::store_words(words, x0);
      P::store_words(words, beta[0]);
      P::store_words(words, beta[1]);
      words += kWordRow;  // the key's place
    }
  }

  // Writes the server's words without its keys. `masks`: the choices from position 0 on.
  static void answer_products(const Places& at, const Layout& layout, const std::uint8_t* labels,
                              const Words& masks, const std::uint8_t*& corrections,
                              std::uint8_t*& words) {
    const auto pads = [&](int position, int key) {
      const Lanes<Block4> label = Lanes<Block4>::load(label_row(labels, position));
      return BlockWords<Block4, 2>(hash_lanes(label, at.keys[key]));
    };
    if (layout.carry.bits > 0) {
      const Words tau = P::load_words(corrections);
      const Words pad = pads(layout.carry_select_at, at.product).word[0];
      P::store_words(words, product_share<Block4>(pad, masks, layout.carry_select_at, tau));
    }
    const Words wrap = S::load(corrections, layout.wrap_bits);
    P::store_words(words, product_share<Block4>(pads(layout.top_mask_at, at.wrap).word[0], masks,
                                                layout.top_mask_at, wrap));
    for (int version = 0; version < layout.versions; ++version) {
      const int position = layout.select_at + version;
      const BlockWords<Block4, 2> pad = pads(position, at.payload[version]);
      const Words tau0 = P::load_words(corrections);
      const Words tau1 = S::load(corrections, layout.wrap_bits);
      P::store_words(words, product_share<Block4>(pad.word[0], masks, position, tau0));
      P::store_words(words, product_share<Block4>(pad.word[1], masks, position, tau1));
    }
  }
};

}  // namespace pi::fss
