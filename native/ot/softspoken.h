// Extends correlated OTs by SoftSpoken: Roy, "SoftSpokenOT: Quieter OT Extension from Small-Field
// Silent VOLE in the Minicrypt Model", CRYPTO 2022, semi-honest (figure 7), over the field of 2^4
// elements.
//
// The COT receiver holds 32 GGM trees of 16 leaf seeds; the COT sender holds all leaves of each
// tree but one, whose position is four bits of delta. With G(leaf) the leaves' generator, for each
// tree
//     u = XOR_x G(x),  v_b = XOR_{x with bit b} G(x)  (b < 4),
// the receiver sends u xor c (c: its choice bits) and keeps v; the sender computes
//     q_b = v_b xor delta_b (u xor message),
// in which the leaf that it does not know cancels out. Hence q = v xor c delta, for 4 bytes per OT.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"

namespace pi {

inline constexpr int kCotBits = 128;  // of delta, and so the number of base OTs
inline constexpr int kTreeDepth = 4;
inline constexpr int kTrees = kCotBits / kTreeDepth;
inline constexpr int kLeaves = 1 << kTreeDepth;
inline constexpr std::size_t kSeedBytes = 16;
inline constexpr std::size_t kLeafBytes = kTrees * kLeaves * kSeedBytes;  // [tree][leaf][16]
inline constexpr std::size_t kTreeMessageBytes =
    kCotBits * 2 * kSeedBytes;  // [tree][level][bit][16]

// OTs per step of the generators. A call uses ceil(count / kChunkOts) counter values, and none of
// them may ever be used again with the same leaves.
inline constexpr std::size_t kChunkOts = 2048;

// Returns the bytes of an extension message: for every chunk of kChunkOts, the last one shorter,
// [tree][its OTs / 8], bits little-bit-first.
constexpr std::size_t extension_bytes(std::size_t count) { return kTrees * (count / 8); }

// Grows the COT receiver's trees. roots: [tree][16], fresh and uniform. base_pairs:
// [tree][level][bit][16], both keys of base OT 4 tree + level; each is used as a one-time pad here.
void grow_trees(Isa isa, const std::uint8_t* roots, const std::uint8_t* base_pairs,
                std::uint8_t* leaves, std::uint8_t* message);

// Makes the COT sender's trees. base_keys: [128][16], received with choice bits NOT delta. The leaf
// at position delta becomes zero; no branch and no index depends on delta.
void puncture_trees(Isa isa, const std::uint8_t* delta, const std::uint8_t* base_keys,
                    const std::uint8_t* message, std::uint8_t* leaves);

// Extends the receiver's OTs. count: a multiple of 32. choice_bits: count / 8 bytes. labels:
// [count][16].
void extend_receiver(Isa isa, const std::uint8_t* leaves, std::uint64_t first_chunk,
                     std::size_t count, const std::uint8_t* choice_bits, std::uint8_t* message,
                     std::uint8_t* labels, int threads);

// Extends the sender's OTs. zero_labels: [count][16]; the receiver's label is zero_label xor choice
// delta.
void extend_sender(Isa isa, const std::uint8_t* leaves, const std::uint8_t* delta,
                   std::uint64_t first_chunk, std::size_t count, const std::uint8_t* message,
                   std::uint8_t* zero_labels, int threads);

}  // namespace pi
