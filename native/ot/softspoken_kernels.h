// Extends one chunk of SoftSpoken OTs, as templates; each instruction set instantiates them once.
#pragma once
#include <cstddef>
#include <cstdint>

#include "ot/softspoken.h"
#include "ot/transpose.h"
#include "symmetric/aes.h"

namespace pi {

inline constexpr std::size_t kColumnBytes = kChunkOts / 8;

// Holds the data of one chunk, about 50 KB, so that it stays in the second-level cache.
struct alignas(64) CotScratch {
  std::uint8_t columns[kCotBits][kColumnBytes];
  std::uint8_t parity[kTrees][kColumnBytes];
};

struct SoftspokenKernels {
  // Round keys of all leaves.
  void (*expand_leaves)(const std::uint8_t* leaves, RoundKeys* keys);
  // Columns v_b at 4 tree + b and parities u of `chunk`, over all leaves.
  void (*generate)(const RoundKeys* keys, std::uint64_t chunk, CotScratch& scratch);
  // Column b of every tree ^= delta_b parity; delta_masks: [128][16], all ones or zero.
  void (*correct)(const std::uint8_t* delta_masks, CotScratch& scratch);
  // labels: [kChunkOts][16].
  void (*transpose)(const CotScratch& scratch, std::uint8_t* labels);
};

extern const SoftspokenKernels kSoftspokenPortable;
extern const SoftspokenKernels kSoftspokenAesni;
extern const SoftspokenKernels kSoftspokenVaes512;

template <class Block4, class Bytes>
struct SoftspokenTemplates {
  static constexpr int kN = Block4::kInFlight < 4 ? Block4::kInFlight : 4;  // a column has four
  static constexpr std::size_t kStepBytes = 64 * kN;

  static void expand_leaves(const std::uint8_t* leaves, RoundKeys* keys) {
    expand_keys<Block4>(leaves, kTrees * kLeaves, keys);
  }

  static void generate(const RoundKeys* keys, std::uint64_t chunk, CotScratch& scratch) {
    constexpr std::size_t kBlocks = kColumnBytes / kBlockBytes;
    alignas(64) std::uint64_t counters[kBlocks][2];
    for (std::size_t i = 0; i < kBlocks; ++i) {
      counters[i][0] = chunk * kBlocks + i;
      counters[i][1] = 0;
    }
    const auto* counter_bytes = reinterpret_cast<const std::uint8_t*>(counters);
    for (std::size_t tree = 0; tree < kTrees; ++tree) {
      for (std::size_t at = 0; at < kColumnBytes; at += kStepBytes) {
        sum_leaves(keys + kLeaves * tree, counter_bytes + at,
                   scratch.columns[kTreeDepth * tree] + at, scratch.parity[tree] + at);
      }
    }
  }

  static void correct(const std::uint8_t* delta_masks, CotScratch& scratch) {
    for (std::size_t column = 0; column < kCotBits; ++column) {
      const Block4 mask = Block4::broadcast(delta_masks + kBlockBytes * column);
      std::uint8_t* to = scratch.columns[column];
      const std::uint8_t* from = scratch.parity[column / kTreeDepth];
      for (std::size_t at = 0; at < kColumnBytes; at += 64) {
        (Block4::load(to + at) ^ (Block4::load(from + at) & mask)).store(to + at);
      }
    }
  }

  static void transpose(const CotScratch& scratch, std::uint8_t* labels) {
    for (std::size_t at = 0; at < kColumnBytes; at += Bytes::kWidth) {
      transpose_128<Bytes>(scratch.columns[0] + at, kColumnBytes, labels + 8 * kBlockBytes * at);
    }
  }

  static constexpr SoftspokenKernels kTable = {expand_leaves, generate, correct, transpose};

 private:
  // v: column 0 of the tree; its other columns follow at kColumnBytes each.
  static void sum_leaves(const RoundKeys* keys, const std::uint8_t* counters, std::uint8_t* v,
                         std::uint8_t* u) {
    // Through memory: the registers of the narrow path hold AES states, but not the sums beside
    // them.
    alignas(64) std::uint8_t streams[kLeaves][kStepBytes];
    for (int x = 0; x < kLeaves; ++x) {
      Block4 state[kN];
      for (int i = 0; i < kN; ++i) state[i] = Block4::load(counters + 64 * i);
      encrypt<kN>(state, keys[x]);
      for (int i = 0; i < kN; ++i) state[i].store(streams[x] + 64 * i);
    }
    for (std::size_t at = 0; at < kStepBytes; at += 64) {
      Block4 sum[kLeaves];
      for (int x = 0; x < kLeaves; ++x) sum[x] = Block4::load(streams[x] + at);
      // Fold the lowest bit of x: the odd half is v_b, and pairs go on to the next bit.
#pragma GCC unroll 4
      for (int b = 0; b < kTreeDepth; ++b) {
        Block4 odd = Block4::zero();
        for (int x = 0; x < kLeaves >> (b + 1); ++x) {
          odd = odd ^ sum[2 * x + 1];
          sum[x] = sum[2 * x] ^ sum[2 * x + 1];
        }
        odd.store(v + kColumnBytes * static_cast<std::size_t>(b) + at);
      }
      sum[0].store(u + at);
    }
  }
};

}  // namespace pi
