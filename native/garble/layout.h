// What a gadget computes, and the sizes of everything that it stores and sends.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pi {

enum class GadgetKind { kRelu, kTruncate };

// kRelu: y = ReLU(x + offset) >> truncate_bits over the window of bits up to window_bits.
// kTruncate: y = (x + offset) >> truncate_bits, window_bits unused.
// Not exact: the carry of the low truncate_bits bits is dropped (the law T_v of the derivation).
struct GadgetSpec {
  GadgetKind kind;
  int truncate_bits;
  int window_bits;
  bool exact;
  std::uint32_t offset;
};

// A gadget adds the shares over `gate_count` bits from `first_bit` on, an AND a bit, and uses the
// top bit of the client's share besides. Sizes are for a group of 32 elements. In every group the
// blocks come first, [position][lane][16], then 32 words an item, then 32 packed bits an item.
struct GadgetLayout {
  int first_bit;
  int gate_count;
  int top_bit;    // the bit of v whose label stands last
  int carry_at;   // gates before the carry into bit truncate_bits; -1: that carry is not used
  int label_ots;  // labels an element of the client: gate_count bits, then the top bit
  std::size_t garbled_group_bytes;  // tables, then correction words: server to client, offline
  std::size_t state_group_bytes;    // pads that the server keeps
  std::size_t online_group_bytes;   // labels, words and bits: server to client, online
};

// Throws std::invalid_argument if the numbers make no gadget on 32-bit shares.
GadgetLayout layout_of(const GadgetSpec& spec);

}  // namespace pi
