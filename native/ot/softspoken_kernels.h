// Extends one chunk of SoftSpoken OTs, as templates; each instruction set instantiates them once.
#pragma once
#include <cstddef>
#include <cstdint>

#include "ot/softspoken.h"
#include "ot/transpose.h"
#include "symmetric/aes.h"

namespace pi {

inline constexpr std::size_t kColumnBytes = kChunkOts / 8;

// Holds what the generators make of one chunk, about 40 KB: columns v_b, as rows 4 tree + b of the
// tiles, and parities u.
struct alignas(64) CotChunk {
  std::uint8_t tiles[kChunkOts / 128][kTileBytes];
  std::uint8_t parity[kTrees][kColumnBytes];
};

struct SoftspokenKernels {
  // Round keys of all leaves.
  void (*expand_leaves)(const std::uint8_t* leaves, RoundKeys* keys);
  // Generates chunk `number` over all leaves into `next`, and meanwhile transposes `ready` into
  // labels, [kChunkOts][16]. Either may be null. `delta_masks`: null, or [128][16] of all ones or
  // zero; column b of every tree of `ready` counts as XORed with delta_b parity.
  void (*step)(const RoundKeys* keys, std::uint64_t number, CotChunk* next, const CotChunk* ready,
               const std::uint8_t* delta_masks, std::uint8_t* labels);
};

extern const SoftspokenKernels kSoftspokenPortable;
extern const SoftspokenKernels kSoftspokenAesni;
extern const SoftspokenKernels kSoftspokenVaes512;

template <class Block4, class Transposer>
struct SoftspokenTemplates {
  static constexpr std::size_t kN =
      Block4::kInFlight < 4 ? Block4::kInFlight : 4;  // a column has four
  static constexpr std::size_t kStepBytes = 64 * kN;

  static void expand_leaves(const std::uint8_t* leaves, RoundKeys* keys) {
    expand_keys<Block4>(leaves, kTrees * kLeaves, keys);
  }

  static void step(const RoundKeys* keys, std::uint64_t number, CotChunk* next,
                   const CotChunk* ready, const std::uint8_t* delta_masks, std::uint8_t* labels) {
    if (ready == nullptr) return generate(keys, number, *next, [](std::size_t, std::size_t) {});
    if (delta_masks == nullptr) {
      return generate_and_transpose<false>(keys, number, next, *ready, nullptr, labels);
    }
    generate_and_transpose<true>(keys, number, next, *ready, delta_masks, labels);
  }

  static constexpr SoftspokenKernels kTable = {expand_leaves, step};

 private:
  template <bool kCorrected>
  static void generate_and_transpose(const RoundKeys* keys, std::uint64_t number, CotChunk* next,
                                     const CotChunk& ready, const std::uint8_t* delta_masks,
                                     std::uint8_t* labels) {
    constexpr std::size_t kPieces = kChunkOts / 128 * Transposer::kPiecesPerTile;
    const TileRows rows{ready.tiles[0], ready.parity[0], kColumnBytes, delta_masks};
    alignas(64) Transposer transposer(rows, labels);
    std::size_t piece = 0;
    if (next != nullptr) {
      generate(keys, number, *next, [&](std::size_t run, std::size_t runs) {
        const std::size_t until = (run + 1) * kPieces / runs;
        for (; piece < until; ++piece) transposer.template run<kCorrected>(piece);
      });
    }
    for (; piece < kPieces; ++piece) transposer.template run<kCorrected>(piece);
    explicit_bzero(&transposer, sizeof transposer);
  }

  // Calls between(i, count) after the i-th of `count` runs of a leaf's generator.
  template <class Between>
  [[gnu::always_inline]] static void generate(const RoundKeys* keys, std::uint64_t number,
                                              CotChunk& out, const Between& between) {
    constexpr std::size_t kBlocks = kColumnBytes / kBlockBytes;
    alignas(64) std::uint64_t counters[kBlocks][2];
    for (std::size_t i = 0; i < kBlocks; ++i) {
      counters[i][0] = number * kBlocks + i;
      counters[i][1] = 0;
    }
    const auto* counter_bytes = reinterpret_cast<const std::uint8_t*>(counters);
    // Through memory: the registers of the narrow path hold AES states, but not the sums as well
    // them. Nor do they hold a whole sum, so only the others sum the streams of a tree between the
    // encryptions of the next one.
    constexpr bool kSumsLater = Block4::kInFlight > 2;
    alignas(64) std::uint8_t streams[2][kLeaves][kStepBytes];
    constexpr std::size_t kSteps = kColumnBytes / kStepBytes;  // per tree
    constexpr std::size_t kLeavesPerSum = kLeaves / kN;
    const auto sum = [&](std::size_t step, std::size_t part) {
      const std::size_t at = kStepBytes * (step % kSteps) + 64 * part;
      const std::size_t tree = step / kSteps;
      sum_leaves(streams[step % 2][0] + 64 * part,
                 out.tiles[at / kBlockBytes] + kTreeDepth * kBlockBytes * tree,
                 out.parity[tree] + at);
    };
    std::size_t run = 0;
    for (std::size_t step = 0; step < kTrees * kSteps; ++step) {
      const std::uint8_t* from = counter_bytes + kStepBytes * (step % kSteps);
      for (std::size_t x = 0; x < kLeaves; ++x) {
        Block4 state[kN];
        for (std::size_t i = 0; i < kN; ++i) state[i] = Block4::load(from + 64 * i);
        encrypt<kN>(state, keys[kLeaves * (step / kSteps) + x]);
        for (std::size_t i = 0; i < kN; ++i) state[i].store(streams[step % 2][x] + 64 * i);
        between(run++, kTrees * kSteps * kLeaves);
        if (kSumsLater && step > 0 && x % kLeavesPerSum == kLeavesPerSum - 1) {
          sum(step - 1, x / kLeavesPerSum);
        }
      }
      if (!kSumsLater || step == kTrees * kSteps - 1) {
        for (std::size_t part = 0; part < kN; ++part) sum(step, part);
      }
    }
    explicit_bzero(streams, sizeof streams);  // with the messages they give the labels away
  }

  // Sums 64 bytes of every leaf's stream into the rows of a tree, in the four tiles from `tile` on,
  // and into its parity.
  static void sum_leaves(const std::uint8_t* streams, std::uint8_t* tile, std::uint8_t* parity) {
    Block4 sum[kLeaves];
    for (std::size_t x = 0; x < kLeaves; ++x) sum[x] = Block4::load(streams + kStepBytes * x);
    // Fold the lowest bit of x: the odd half is v_b, and pairs go on to the next bit.
    Block4 column[kTreeDepth];
#pragma GCC unroll 4
    for (int b = 0; b < kTreeDepth; ++b) {
      column[b] = Block4::zero();
      for (int x = 0; x < kLeaves >> (b + 1); ++x) {
        column[b] = column[b] ^ sum[2 * x + 1];
        sum[x] = sum[2 * x] ^ sum[2 * x + 1];
      }
    }
    Transposer::store_columns(column, tile);
    sum[0].store(parity);
  }
};

}  // namespace pi
