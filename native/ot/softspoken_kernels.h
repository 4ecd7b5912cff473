// One chunk of SoftSpoken OT as templates; each instruction set instantiates them once.
#pragma once
#include <cstddef>
#include <cstdint>

#include "ot/softspoken.h"
#include "ot/transpose.h"
#include "symmetric/aes.h"

namespace pi {

inline constexpr std::size_t kColumnBytes = kChunkOts / 8;

// What one chunk works on; about 50 KB, so that it stays in the second-level cache.
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

extern const SoftspokenKernels kSoftspokenAesni;
extern const SoftspokenKernels kSoftspokenVaes512;

template <class Block4, class Bytes>
struct SoftspokenTemplates {
  static constexpr int kN = Block4::kInFlight / 2;  // of each of the two leaves in flight
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
  [[gnu::always_inline]] static inline void sum_leaves(const RoundKeys* keys,
                                                       const std::uint8_t* counters,
                                                       std::uint8_t* v, std::uint8_t* u) {
    Block4 sum[kTreeDepth + 1][kN];  // v_0 .. v_3, u
    for (auto& row : sum) {
      for (Block4& value : row) value = Block4::zero();
    }
#pragma GCC unroll 8
    for (int pair = 0; pair < kLeaves / 2; ++pair) {
      Block4 even[kN];
      Block4 odd[kN];
      for (int i = 0; i < kN; ++i) even[i] = odd[i] = Block4::load(counters + 64 * i);
      encrypt_two(even, keys[2 * pair], odd, keys[2 * pair + 1]);
      for (int i = 0; i < kN; ++i) {
        const Block4 both = even[i] ^ odd[i];
        sum[0][i] = sum[0][i] ^ odd[i];
        if (pair & 1) sum[1][i] = sum[1][i] ^ both;
        if (pair & 2) sum[2][i] = sum[2][i] ^ both;
        if (pair & 4) sum[3][i] = sum[3][i] ^ both;
        sum[4][i] = sum[4][i] ^ both;
      }
    }
    for (int i = 0; i < kN; ++i) {
      for (std::size_t b = 0; b < kTreeDepth; ++b) sum[b][i].store(v + kColumnBytes * b + 64 * i);
      sum[kTreeDepth][i].store(u + 64 * i);
    }
  }

  [[gnu::always_inline]] static inline void encrypt_two(Block4* a, const RoundKeys& a_keys,
                                                        Block4* b, const RoundKeys& b_keys) {
    const Block4 a_first = Block4::broadcast(a_keys.at[0]);
    const Block4 b_first = Block4::broadcast(b_keys.at[0]);
    for (int i = 0; i < kN; ++i) {
      a[i] = a[i] ^ a_first;
      b[i] = b[i] ^ b_first;
    }
    for (int round = 1; round < 10; ++round) {
      for (int i = 0; i < kN; ++i) a[i] = a[i].aes_round(a_keys.at[round]);
      for (int i = 0; i < kN; ++i) b[i] = b[i].aes_round(b_keys.at[round]);
    }
    for (int i = 0; i < kN; ++i) a[i] = a[i].aes_last_round(a_keys.at[10]);
    for (int i = 0; i < kN; ++i) b[i] = b[i].aes_last_round(b_keys.at[10]);
  }
};

}  // namespace pi
