// Grows the trees of a gadget, and ends its round at the server; for a ReLU and a truncation alike.
#pragma once
#include "fss/steps.h"
#include "fss/streams.h"
#include "fss/tree.h"

namespace pi::fss {

template <class Block4>
struct Common {
  using P = Pieces<Block4>;

  static void grow(const Call& call, const Layout& layout, const GrowArguments& in,
                   std::size_t begin, std::size_t end) {
    const Block4 delta = Block4::broadcast(in.delta);
    const std::size_t state_bytes = in.party == Party::kServer ? layout.server_state_group_bytes
                                                               : layout.client_state_group_bytes;
    const int next = in.level + 1;
    const std::size_t bundle_bytes =
        next <= layout.bundle_count ? layout.bundle_group_bytes[next] : 0;
    PlaceKeys<Block4> keys(in.hash_seed, call.gadget);
    const Tree<Block4> sign(layout.sign, layout.sign_place, 0);
    const Tree<Block4> carry(layout.carry, layout.carry_place, 1);
    const NodeKeys sign_keys = sign.add_keys(keys, next);
    const NodeKeys carry_keys = carry.add_keys(keys, next);
    for (std::size_t group = begin; group < end; ++group) {
      keys.begin_group(call.first_group + static_cast<std::uint32_t>(group), end - group);
      const std::uint8_t* received = in.received + group * layout.bundle_group_bytes[in.level];
      std::uint8_t* state = in.state + group * state_bytes;
      std::uint8_t* scratch = in.scratch + group * layout.scratch_group_bytes;
      std::uint8_t* bundle = in.out_bundle + group * bundle_bytes;
      sign.grow(keys, sign_keys, in.level, delta, received, state, scratch, bundle);
      carry.grow(keys, carry_keys, in.level, delta, received, state, scratch, bundle);
    }
  }

  // The share has one version per value of the answer's bits: eps lowest, then the masked carry.
  // Every version is read, whatever the answer.
  static void finish(const Call&, const Layout& layout, const FinishArguments& in,
                     std::size_t begin, std::size_t end) {
    const bool carry = layout.carry.bits > 0;
    for (std::size_t group = begin; group < end; ++group) {
      const std::uint8_t* kept = in.kept + group * layout.kept_group_bytes;
      const std::uint32_t* answer =
          in.answer + group * static_cast<std::size_t>(layout.answer_words);
      Words versions[2 * kMostVersions];
      for (int i = 0; i < layout.share_versions; ++i) versions[i] = P::load_words(kept);
      Words bit = Streams<Block4>::of_planes(answer, layout.answer_words);
      if (carry) {
        const Words eta = P::load_bits(kept);
        for (int q = 0; q < kLanes; ++q) bit.at[q] ^= eta.at[q] << (layout.answer_words - 1);
      }
      Words share = P::words_at(in.z + kLanes * group);
      for (int q = 0; q < kLanes; ++q) {
        std::uint32_t own = P::choose(bit.at[q] & 1u, versions[1].at[q], versions[0].at[q]);
        if (layout.share_versions == 4) {
          const std::uint32_t other =
              P::choose(bit.at[q] & 1u, versions[3].at[q], versions[2].at[q]);
          own = P::choose(bit.at[q] >> 1 & 1u, other, own);
        }
        share.at[q] += own;
      }
      std::memcpy(in.out_share + kLanes * group, share.at, sizeof share.at);
    }
  }
};

}  // namespace pi::fss
