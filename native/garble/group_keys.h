// Expands the hash keys of one group of 32 elements together.
#pragma once
#include "garble/chunk_plan.h"
#include "garble/layout.h"
#include "symmetric/lanes.h"

namespace pi {

// Holds the keys of the gates, then one for each output that is hashed, then those of the chunked
// bits.
template <class Block4>
class GroupKeys {
 public:
  // `outputs` are purposes at position gate_count.
  template <int kOutputs>
  GroupKeys(const std::uint8_t* seed, std::uint32_t gadget, std::uint32_t group,
            const GadgetLayout& layout, const Purpose (&outputs)[kOutputs])
      : gate_keys_(layout.gate_keys),
        first_output_(gate_keys_ * layout.gate_count),
        first_chunked_(first_output_ + kOutputs),
        parts_(chunk_hash_parts(layout.label_chunk)) {
    static_assert(kOutputs <= kMostOutputs);
    std::uint8_t raw[kMostKeys][kBlockBytes];
    const Purpose* purposes =
        layout.garbling == Garbling::kThreeHalves ? kOfThreeHalves : kOfHalfGates;
    for (int i = 0; i < first_output_; ++i) {
      const auto position = static_cast<std::uint32_t>(i / gate_keys_);
      tweaked_key(seed, {purposes[i % gate_keys_], gadget, group, position, 0}, raw[i]);
    }
    for (int i = 0; i < kOutputs; ++i) {
      const auto position = static_cast<std::uint32_t>(layout.gate_count);
      tweaked_key(seed, {outputs[i], gadget, group, position, 0}, raw[first_output_ + i]);
    }
    for (int i = 0; i < parts_ * layout.chunked_bits; ++i) {
      const auto position = static_cast<std::uint32_t>(i / parts_);
      const auto part = static_cast<std::uint8_t>(i % parts_);
      tweaked_key(seed, {Purpose::kChunk, gadget, group, position, part}, raw[first_chunked_ + i]);
    }
    expand_keys<Block4>(raw[0], first_chunked_ + parts_ * layout.chunked_bits, keys_);
  }

  // Returns the keys of an AND, as many as its garbling has.
  const RoundKeys* gate(int gate) const { return keys_ + gate_keys_ * gate; }
  const RoundKeys& output(int i) const { return keys_[first_output_ + i]; }

  // Hashes the keys of a chunk for one of its bits. The lanes have as many parts as there are hash
  // keys.
  Lanes<Block4> hash_chunk_keys(const Lanes<Block4>& in, int gate) const {
    const RoundKeys* keys = keys_ + first_chunked_ + parts_ * gate;
    if (parts_ == 1) return hash_lanes(in, keys[0]);
    constexpr int kHalf = Lanes<Block4>::kQuads / 2;
    constexpr int kN = Block4::kInFlight < kHalf ? Block4::kInFlight : kHalf;
    Lanes<Block4> out;
    for (int i = 0; i < 2 * kHalf; i += kN) hash<kN>(in.at + i, out.at + i, keys[i / kHalf]);
    return out;
  }

 private:
  static constexpr Purpose kOfHalfGates[] = {Purpose::kAndGarbler, Purpose::kAndEvaluator};
  static constexpr Purpose kOfThreeHalves[] = {Purpose::kAndOfA, Purpose::kAndOfB,
                                               Purpose::kAndOfBoth};
  static constexpr int kMostOutputs = 3;
  static constexpr int kMostKeys = 3 * kMostGates + kMostOutputs + 2 * kMostGates;
  int gate_keys_;
  int first_output_;
  int first_chunked_;
  int parts_;
  RoundKeys keys_[kMostKeys];
};

}  // namespace pi
