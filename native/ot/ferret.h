// Extends correlated OTs by Ferret: Yang, Weng, Lan, Zhang and Wang, "Ferret: Fast Extension for
// Correlated OT with Small Communication", CCS 2020, semi-honest, with regular noise and a primal
// LPN code of 10 ones per row. The trees are the correlated GGM trees of half-tree (Guo, Yang,
// Wang, Zhang, Xie, Liu and Zhao, EUROCRYPT 2023, figure 3). docs/threat-model.md, section 7, has
// the parameters and the proof.
//
// A batch turns earlier OTs, the inputs, into many new ones. All OTs here have random choices and
// one form: bit 0 of delta is 1, bit 0 of the sender's label q is 0, and bit 0 of the receiver's
// label t = q xor choice delta is the choice. The inputs of a batch are `secrets` labels of the
// code's secret, and `levels` labels per tree, whose choices say which leaf the receiver lacks.
//
// Four trees make a group, and a key hashes one level of a group. Output row 4 p + i of a group
// belongs to leaf p of its tree i. It is the leaf, xor the 10 secrets that row names. In the
// receiver's trees, the leaf that it lacks is xored with delta. So a choice is noise plus a
// product with the code, and all choices are pseudorandom to the sender.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"

namespace pi {

inline constexpr std::size_t kFerretTrees = 4;  // per group
inline constexpr std::size_t kFerretOnes = 10;  // of a row of the code
inline constexpr int kFerretLeastLevels = 3;    // so that a group has a multiple of 32 rows
inline constexpr int kFerretMostLevels = 16;
inline constexpr std::size_t kFerretMostSecrets = std::size_t{1} << 24;

// Says which trees a call works on, and under which public seeds.
struct FerretTrees {
  const std::uint8_t* hash_seed;  // 16 bytes
  std::uint32_t batch;            // number of the batch under this seed, 24 bits
  std::uint32_t first_group;      // number of the call's first group in the batch
  std::size_t groups;
  int levels;
};

// Names the code's secret and the public seed of its rows.
struct FerretCode {
  const std::uint8_t* seed;     // 16 bytes
  const std::uint8_t* secrets;  // [count][16]
  std::uint32_t count;
};

constexpr std::size_t ferret_group_ots(int levels) { return kFerretTrees << levels; }

// Returns the bytes of the corrections of one group: [level - 1][tree][16], for levels 2 and up.
constexpr std::size_t ferret_group_corrections(int levels) {
  return kFerretTrees * static_cast<std::size_t>(levels - 1) * 16;
}

// Computes the sender's message, the corrections of every group. path_labels:
// [group][level][tree][16], q. delta: 16 bytes with bit 0 set.
void ferret_correct(Isa isa, const FerretTrees& trees, const std::uint8_t* delta,
                    const std::uint8_t* path_labels, std::uint8_t* corrections, int threads);

// Computes the sender's labels, [group][row][16].
void ferret_send(Isa isa, const FerretTrees& trees, const FerretCode& code,
                 const std::uint8_t* delta, const std::uint8_t* path_labels, std::uint8_t* labels,
                 int threads);

// Computes the receiver's labels. path_labels are t. Time and memory accesses do not depend on the
// choices, nor on labels.
void ferret_receive(Isa isa, const FerretTrees& trees, const FerretCode& code,
                    const std::uint8_t* path_labels, const std::uint8_t* corrections,
                    std::uint8_t* labels, int threads);

// Turns OTs with random choices into OTs with chosen ones. count: a multiple of 32. choice_bits and
// message: count / 8 bytes, little-bit-first; the message has choice xor random choice. The
// receiver's label stays, and the sender's becomes label xor message bit delta. So bit 0 of both
// parties' labels fits to a delta with bit 0 set; if `even`, bit 0 of the receiver's labels becomes
// that of the sender's, which fits to the same delta with bit 0 cleared. `from` may be `to`.
void derandomize_receiver(Isa isa, const std::uint8_t* from, std::size_t count,
                          const std::uint8_t* choice_bits, bool even, std::uint8_t* message,
                          std::uint8_t* to);
void derandomize_sender(Isa isa, const std::uint8_t* from, std::size_t count,
                        const std::uint8_t* delta, const std::uint8_t* message, std::uint8_t* to);

}  // namespace pi
