// Completes received correction rows by the pads of the top bit of v.
#pragma once
#include "garble/gadget.h"
#include "garble/layout.h"
#include "symmetric/lanes.h"

namespace pi {

// Replaces the first kRows rows X_i of each group by H_i(active label) + v_top X_i. The keys have
// `purpose`.
template <class Block4, int kRows>
void accept_rows(const GadgetCall& call, const GadgetLayout& layout, const AcceptArguments& in,
                 Purpose purpose, std::size_t begin, std::size_t end) {
  using P = Pieces<Block4>;
  using Keys = OutputKeys<Block4>;
  const auto gates = static_cast<std::size_t>(layout.gate_count);
  for (std::size_t first = begin; first < end; first += Keys::kMost) {
    const std::size_t left = end - first;
    const std::size_t count = left < Keys::kMost ? left : Keys::kMost;
    const Keys keys(in.hash_seed, purpose, call.gadget, layout.gate_count,
                    call.first_group + static_cast<std::uint32_t>(first), count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t group = first + i;
      const std::uint8_t* top = in.active_labels + (group * (gates + 1) + gates) * kRowBytes;
      const BlockWords<Block4, kRows> pads(hash_lanes(Lanes<Block4>::load(top), keys[i]));
      const Words v = P::words_at(in.v + kLanes * group);
      std::uint8_t* words = in.garbled + group * layout.garbled_group_bytes + layout.block_bytes;
      for (int row = 0; row < kRows; ++row) {
        const std::uint8_t* from = words;
        Words x = P::load_words(from);
        for (int q = 0; q < kLanes; ++q) {
          const std::uint32_t v_top = (v.at[q] >> layout.top_bit) & 1u;
          x.at[q] = pads.word[row].at[q] + P::times_bit(v_top, x.at[q]);
        }
        P::store_words(words, x);
      }
    }
  }
}

}  // namespace pi
