// Derives labels, keys and bits from the garbler's label seed, so that they are not stored.
#pragma once
#include "garble/chunk_plan.h"
#include "symmetric/lanes.h"

namespace pi {

// Computes PRF outputs of the label seed: the zero labels of the garbler's bits, or the keys and
// masks of its chunks.
template <class Block4>
class GarblerLabels {
 public:
  GarblerLabels(const std::uint8_t* label_seed, std::uint32_t gadget) : gadget_(gadget) {
    expand_keys<Block4>(label_seed, 1, &keys_);
  }
  GarblerLabels(const GarblerLabels&) = delete;
  GarblerLabels& operator=(const GarblerLabels&) = delete;
  ~GarblerLabels() { explicit_bzero(&keys_, sizeof keys_); }  // the schedule contains the seed

  void begin_group(std::uint32_t group) {
    alignas(64) std::uint8_t inputs[kLanes][kBlockBytes];
    constexpr std::uint8_t kNoSeed[kBlockBytes] = {};
    for (int lane = 0; lane < kLanes; ++lane) {
      const Tweak tweak{Purpose::kGarblerLabel, gadget_, group, 0, static_cast<std::uint8_t>(lane)};
      tweaked_key(kNoSeed, tweak, inputs[lane]);
    }
    inputs_ = Lanes<Block4>::load(inputs[0]);
    group_ = group;
  }

  // Computes the zero labels of lanes 4 * first_quad on, as many as are hashed at a time.
  void zero_labels(int position, int first_quad, Block4* out) const {
    const Block4 at_position = Block4::of_halves(0, static_cast<std::uint64_t>(position) << 40);
    for (int i = 0; i < Block4::kInFlight; ++i) out[i] = inputs_.at[first_quad + i] ^ at_position;
    encrypt<Block4::kInFlight>(out, keys_);
  }

  // Computes the keys of the chunk that begins at gate `first`, under each lane's own pointer of
  // `width` bits, which is a secret. The pointer takes the bits below the gate in the tweak's
  // position.
  Lanes<Block4> chunk_keys(int first, int width, const Words& pointers) const {
    constexpr auto kOtherPurpose = static_cast<std::uint64_t>(Purpose::kGarblerLabel) ^
                                   static_cast<std::uint64_t>(Purpose::kChunkKey);
    const Block4 at_first = Block4::of_halves(kOtherPurpose << 56, static_cast<std::uint64_t>(first)
                                                                       << (kMostChunkBits + 40));
    Lanes<Block4> out;
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      const Block4 spread = Block4::spread(pointers.at + 4 * i);
      out.at[i] = inputs_.at[i] ^ at_first;
      for (int bit = 0; bit < width; ++bit) {
        const Block4 place = Block4::of_halves(0, std::uint64_t{1} << (bit + 40));
        out.at[i] = out.at[i] ^ spread.where_bit(1u << bit, place);
      }
    }
    for (int i = 0; i < Lanes<Block4>::kQuads; i += Block4::kInFlight) {
      encrypt<Block4::kInFlight>(out.at + i, keys_);
    }
    return out;
  }

  // Holds 32 bits, one per lane, for each gate: the XOR of a chunk's pointer and its value.
  struct ChunkMasks {
    std::uint32_t at[32];

    // Returns the mask of the bits of one chunk, lane by lane.
    Words of(int first, int width) const {
      Words out;
      for (int lane = 0; lane < kLanes; ++lane) {
        std::uint32_t mask = 0;
        for (int bit = 0; bit < width; ++bit) mask |= ((at[first + bit] >> lane) & 1u) << bit;
        out.at[lane] = mask;
      }
      return out;
    }
  };
  ChunkMasks chunk_masks() const {
    alignas(64) std::uint8_t blocks[8][kBlockBytes];
    constexpr std::uint8_t kNoSeed[kBlockBytes] = {};
    for (std::uint32_t i = 0; i < 8; ++i) {
      tweaked_key(kNoSeed, Tweak{Purpose::kChunkMask, gadget_, group_, i, 0}, blocks[i]);
    }
    Block4 x[2] = {Block4::load(blocks[0]), Block4::load(blocks[4])};
    encrypt<2>(x, keys_);
    for (int i = 0; i < 2; ++i) x[i].store(blocks[4 * i]);
    ChunkMasks out;
    std::memcpy(out.at, blocks, sizeof out.at);
    return out;
  }

  // Returns one random bit per lane, which the evaluator never learns.
  Words random_bits() const {
    alignas(64) std::uint8_t block[4 * kBlockBytes] = {};
    constexpr std::uint8_t kNoSeed[kBlockBytes] = {};
    tweaked_key(kNoSeed, Tweak{Purpose::kGarblerBit, gadget_, group_, 0, 0}, block);
    Block4 x = Block4::load(block);
    encrypt<1>(&x, keys_);
    x.store(block);
    const std::uint8_t* from = block;
    return Pieces<Block4>::load_bits(from);
  }

 private:
  RoundKeys keys_;
  std::uint32_t gadget_;
  std::uint32_t group_ = 0;
  Lanes<Block4> inputs_;
};

}  // namespace pi
