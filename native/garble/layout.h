// Describes the function of a gadget, and derives the sizes of its buffers and messages.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pi {

enum class GadgetKind { kRelu, kTruncate };

// Names the garbling of an AND: two rows of 16 bytes, or three rows of 8 bytes and three bits.
enum class Garbling { kHalfGates, kThreeHalves };

// kRelu: y = ReLU(x + offset) >> truncate_bits over the window of bits up to window_bits.
// kTruncate: y = (x + offset) >> truncate_bits, window_bits unused.
// If not exact, the carry of the low truncate_bits bits is dropped (the law T_v of the derivation).
struct GadgetSpec {
  GadgetKind kind;
  int truncate_bits;
  int window_bits;
  bool exact;
  std::uint32_t offset;
  int sign_drop = 0;    // kRelu, not exact: bits above truncate_bits that the sign disregards
  int label_chunk = 1;  // bits of u that share one key on the wire, 1 to 4
  Garbling garbling = Garbling::kHalfGates;
};

// Holds the sizes of a gadget. It adds the shares over `gate_count` bits from `first_bit` on, with
// one AND per bit, and also uses the top bit of the evaluator's share. Sizes are for a group of 32
// elements. In every group the blocks come first, [position][lane][16]; then the packed pointers of
// the chunks; then items of 32 words and items of 32 packed bits. Three halves have rows of 8-byte
// halves among the blocks, and their control bits after the blocks.
struct GadgetLayout {
  int first_bit;
  int gate_count;
  int top_bit;    // the bit of v whose label comes last
  int carry_at;   // gates before the carry into bit truncate_bits; -1: that carry is not used
  int label_ots;  // labels of the evaluator per element: gate_count bits, then the top bit
  Garbling garbling;
  int gate_keys;  // hash keys of an AND
  int label_chunk;
  int chunked_bits;                 // gates whose bit of u is in a chunk of two bits or more
  std::size_t label_rows;           // labels and chunk keys per element, online
  std::size_t table_bytes;          // rows of one AND
  std::size_t control_bytes;        // control bits of one AND
  std::size_t chunk_rows_at;        // where the chunk rows begin, after the tables
  std::size_t control_at;           // where the control bits begin, after the chunk rows
  std::size_t block_bytes;          // all of these, before the correction words
  std::size_t garbled_group_bytes;  // blocks, then correction words: garbler to evaluator, offline
  std::size_t state_group_bytes;    // pads that the garbler keeps
  std::size_t online_group_bytes;   // labels, words and bits: garbler to evaluator, online
};

// Derives the sizes. Throws std::invalid_argument if the numbers make no gadget on 32-bit shares.
GadgetLayout layout_of(const GadgetSpec& spec);

}  // namespace pi
