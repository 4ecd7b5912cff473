// Separates domains: every use of the hash or of a label PRF has a tweak of its own.
#pragma once
#include <cstdint>
#include <cstring>

namespace pi {

inline constexpr int kBlockBytes = 16;
inline constexpr int kLanes = 32;  // elements that share one hash key per position

// Names the purpose of a hashed block. A number has one purpose in the whole code base.
enum class Purpose : std::uint8_t {
  kAndGarbler = 1,      // half-gate rows of the garbler half
  kAndEvaluator = 2,    // half-gate rows of the evaluator half
  kSign = 3,            // output label of the ReLU's circuit
  kTopBit = 4,          // label of the top bit of the evaluator's share
  kCarry = 5,           // carry into bit f, exact modes
  kChunk = 6,           // keys of a chunk of the garbler's bits; sub: the part of the lanes
  kTruncateTopBit = 8,  // label of bit 31 of the evaluator's share, truncation without ReLU
  kAdditiveOt = 9,      // pads of the additive correlated OT
  kProductOt = 10,      // pads of the OTs of a product; position: bit of a
  kGarblerLabel = 16,   // PRF: zero labels of the garbler's input bits
  kGarblerBit = 17,     // PRF: random bits that the garbler draws
  kChunkKey = 18,       // PRF: keys of chunks; position: gate * 16 + pointer
  kChunkMask = 19,      // PRF: masks of the pointers, four gates per block
  // FSS (fss/steps.h); sub: 0 for the sign's table, 1 for the carry's.
  kButterfly = 20,      // pads of a stage; position: bit of the index
  kTreeLevel = 21,      // nodes of a level, toward the next one; position: level
  kTreeLeaf = 22,       // nodes of a level as leaves; position: level
  kPayload = 23,        // pads of the products with pi; position: version
  kWrapProduct = 24,    // pads of the product of both top bits
  kPayloadChoice = 25,  // keys of which the evaluator of an FSS gadget holds one
  kCarryProduct = 26,   // pads of the product of both parties' masks of the carry
  kFerretTree = 27,     // nodes of a level of silent OT (ot/ferret.h); position: level
  // Three halves (garble/three_halves.h).
  kAndOfA = 28,     // halves of the first input
  kAndOfB = 29,     // halves of the second input
  kAndOfBoth = 30,  // halves of the XOR of both
};

// Holds the 128-bit tweak j: purpose 8 | gadget 24 | group 32 | position 24 | sub 8 | zero 32, the
// purpose in the highest bits, stored little-endian.
struct Tweak {
  Purpose purpose;
  std::uint32_t gadget;  // 24 bits
  std::uint32_t group;
  std::uint32_t position;  // 24 bits
  std::uint8_t sub;
};

// Computes out = seed xor tweak. It is always_inline because files use it that are compiled with
// different flags.
[[gnu::always_inline]] inline void tweaked_key(const std::uint8_t* seed, const Tweak& tweak,
                                               std::uint8_t* out) {
  std::uint64_t half[2];
  std::memcpy(half, seed, sizeof half);
  half[0] ^= (static_cast<std::uint64_t>(tweak.position) << 40) |
             (static_cast<std::uint64_t>(tweak.sub) << 32);
  half[1] ^= (static_cast<std::uint64_t>(tweak.purpose) << 56) |
             (static_cast<std::uint64_t>(tweak.gadget) << 32) | tweak.group;
  std::memcpy(out, half, sizeof half);
}

}  // namespace pi
