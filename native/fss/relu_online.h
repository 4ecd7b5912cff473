// Runs the one round of a ReLU (docs/threat-model-fss.md).
//
// With d the sign, c' = d xor pi and w_top = u_top xor m_top:
//
//   server   P = (1 - 2 pi) B - 2 alpha + K_1 - K_0,  B = u'' + 2^M (1 - 2 w_top) a_S (+ E_S)
//            kept = pi B + alpha
//   client   z = c' X + (1 - 2 c') beta + c' P - (1 - 2 eps) K_e - r',  eps = c' xor e
//   server   y - r' = z + kept + (eps ? -K_1 : K_0)
//
// Both values of the last term are made by `encode`: they are the versions of the server's share.
// If exact, all of it exists for both values of eta, the masked carry.
#pragma once
#include "fss/groups.h"
#include "fss/lookup.h"
#include "fss/streams.h"
#include "fss/window.h"

namespace pi::fss {

template <class Block4>
class ReluOnline {
  using P = Pieces<Block4>;
  using S = Streams<Block4>;

 public:
  static void encode(const Call& call, const Layout& layout, const EncodeArguments& in,
                     std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    const Window<Block4> window(call.spec);
    Lookup<Block4> at(call, layout, in.hash_seed);
    const bool exact = layout.carry.bits > 0;
    const int sign_bits = layout.sign.bits - static_cast<int>(exact);  // n
    for (std::size_t group = begin; group < end; ++group) {
      at.keys.begin_group(call.first_group + static_cast<std::uint32_t>(group), end - group);
      const EncodeArguments buffers = at_group(in, layout, group);
      std::uint8_t* kept = buffers.out_kept;
      Words u = P::words_at(buffers.u);
      for (std::uint32_t& lane : u.at) lane += call.spec.offset;

      std::uint32_t planes[kLanes + kMostTableBits];
      std::memcpy(planes, buffers.state + layout.server_planes,
                  sizeof planes[0] * static_cast<std::size_t>(layout.choice_ots));
      const Words masks = S::of_planes(planes, layout.select_at + layout.versions);
      const std::uint8_t* words = buffers.state + layout.server_words;
      const Words gamma = exact ? P::load_words(words) : Words{};
      const Words share = P::load_words(words);
      Words w;
      Words top;
      Words base;
      Words carry;
      for (int q = 0; q < kLanes; ++q) {
        const std::uint32_t shifted = masks.at[q] >> static_cast<int>(exact);
        w.at[q] = (u.at[q] >> window.sign_shift) ^ shifted;
        top.at[q] = w.at[q] >> sign_bits & 1u;
        base.at[q] = window.of(u.at[q]) + window.wrap * P::negate_if(top.at[q], share.at[q]);
        carry.at[q] = exact ? (masks.at[q] & 1u) - 2 * gamma.at[q] : 0;  // E_S of version 0
      }
      const Words table = at.look_up_sign(delta, buffers.state, w, sign_bits, exact);
      std::uint8_t* payload = buffers.out_message;
      std::uint8_t* bits =
          buffers.out_message + kWordRow * static_cast<std::size_t>(layout.versions);
      S::store_planes(bits, w, sign_bits + 1);
      const std::uint8_t* keys = words + 2 * kWordRow * static_cast<std::size_t>(layout.versions);
      for (int version = 0; version < layout.versions; ++version) {
        const Words alpha0 = P::load_words(words);
        const Words alpha1 = P::load_words(words);
        const Words key0 = P::load_words(keys);
        const Words key1 = P::load_words(keys);
        Words opened;
        Words masked;
        Words versions[2];
        for (int q = 0; q < kLanes; ++q) {
          const std::uint32_t select = masks.at[q] >> (layout.select_at + version) & 1u;
          const std::uint32_t u_top = u.at[q] >> (31 - window.up) & 1u;
          opened.at[q] = (1u ^ u_top ^ (table.at[q] >> version) ^ select) & 1u;
          const std::uint32_t own = base.at[q] + (version == 0 ? carry.at[q] : 1u - carry.at[q]);
          const std::uint32_t alpha =
              alpha0.at[q] + window.wrap * P::times_bit(top.at[q], alpha1.at[q]);
          masked.at[q] = P::negate_if(select, own) - 2 * alpha + key1.at[q] - key0.at[q];
          const std::uint32_t fixed = P::times_bit(select, own) + alpha;
          versions[0].at[q] = fixed + key0.at[q];
          versions[1].at[q] = fixed - key1.at[q];
        }
        P::store_words(payload, masked);
        P::store_bits(bits, opened);
        P::store_words(kept, versions[0]);
        P::store_words(kept, versions[1]);
      }
      if (exact) encode_carry(at, layout, delta, buffers.state, planes, u, masks, bits, kept);
    }
  }

  static void evaluate(const Call& call, const Layout& layout, const EvaluateArguments& in,
                       std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    const Window<Block4> window(call.spec);
    Lookup<Block4> at(call, layout, in.hash_seed);
    const bool exact = layout.carry.bits > 0;
    const int sign_bits = layout.sign.bits - static_cast<int>(exact);
    for (std::size_t group = begin; group < end; ++group) {
      at.keys.begin_group(call.first_group + static_cast<std::uint32_t>(group), end - group);
      const EvaluateArguments buffers = at_group(in, layout, group);
      const std::uint8_t* planes = buffers.state + layout.client_planes;
      const Words v_top = P::load_bits(planes);
      const Words e = P::load_bits(planes);
      const Words rho = exact ? P::load_bits(planes) : Words{};

      const std::uint8_t* payload = buffers.message;
      const std::uint8_t* bits =
          buffers.message + kWordRow * static_cast<std::size_t>(layout.versions);
      const Words w = S::load_planes(bits, sign_bits + 1);
      Words opened[kMostVersions] = {};
      for (int version = 0; version < layout.versions; ++version)
        opened[version] = P::load_bits(bits);
      Words delta_bit = {};  // which version counts
      if (exact) {
        const Words low = S::load_planes(bits, layout.carry.bits);
        const Words eta = P::load_bits(bits);
        const Words own = at.look_up_carry(delta, buffers.state, low, rho);
        for (int q = 0; q < kLanes; ++q) delta_bit.at[q] = own.at[q] ^ eta.at[q];
        buffers.out_answer[1] = S::plane(own, 0);
      }
      const Words table = at.look_up_sign(delta, buffers.state, w, sign_bits, exact);

      const std::uint8_t* words = buffers.state + layout.client_words;
      const Words step = P::load_words(words);
      Words x0 = P::load_words(words);
      Words beta0 = P::load_words(words);
      Words beta1 = P::load_words(words);
      Words key = P::load_words(words);
      Words masked = P::load_words(payload);
      Words entry;
      for (int q = 0; q < kLanes; ++q) {
        const std::uint32_t entry1 = table.at[q] >> 1 ^ opened[1].at[q];
        entry.at[q] =
            P::choose(delta_bit.at[q], entry1, table.at[q] ^ opened[0].at[q]) ^ v_top.at[q];
      }
      if (exact) {
        select(delta_bit, P::load_words(words), x0);
        select(delta_bit, P::load_words(words), beta0);
        select(delta_bit, P::load_words(words), beta1);
        select(delta_bit, P::load_words(words), key);
        select(delta_bit, P::load_words(payload), masked);
      }
      Words eps;
      Words z = P::words_at(buffers.next_mask);
      for (int q = 0; q < kLanes; ++q) {
        const std::uint32_t top = w.at[q] >> sign_bits & 1u;
        const std::uint32_t bit = entry.at[q] & 1u;
        const std::uint32_t x = x0.at[q] + window.wrap * P::times_bit(top, step.at[q]);
        const std::uint32_t beta = beta0.at[q] + window.wrap * P::times_bit(top, beta1.at[q]);
        eps.at[q] = bit ^ e.at[q];
        z.at[q] = P::times_bit(bit, x + masked.at[q]) + P::negate_if(bit, beta) -
                  P::negate_if(eps.at[q], key.at[q]) - z.at[q];
      }
      buffers.out_answer[0] = S::plane(eps, 0);
      std::memcpy(buffers.out_z, z.at, sizeof z.at);
    }
  }

 private:
  static constexpr std::size_t kWordRow = sizeof(Words);

  static void select(const Words& bit, const Words& one, Words& zero) {
    for (int q = 0; q < kLanes; ++q) zero.at[q] = P::choose(bit.at[q], one.at[q], zero.at[q]);
  }

  // Opens the low bits of u masked, and the server's masked half of the carry.
  static void encode_carry(const Lookup<Block4>& at, const Layout& layout, Block4 delta,
                           const std::uint8_t* state, const std::uint32_t* planes, const Words& u,
                           const Words& masks, std::uint8_t*& bits, std::uint8_t* kept) {
    const Words low_masks = S::of_planes(planes + layout.carry_choices_at, layout.carry.bits);
    Words low;
    for (int q = 0; q < kLanes; ++q) {
      low.at[q] = (u.at[q] ^ low_masks.at[q]) & ((1u << layout.carry.bits) - 1u);
    }
    const Words eta = at.look_up_carry(delta, state, low, masks);
    S::store_planes(bits, low, layout.carry.bits);
    P::store_bits(bits, eta);
    P::store_bits(kept, eta);
  }
};

}  // namespace pi::fss
