// Garbles and evaluates the adder of a gadget in half-gates (Zahur, Rosulek, Evans, EUROCRYPT
// 2015), 32 lanes in lock step.
//
// The carry into the next bit is c xor (u xor c)(v xor c), which takes one AND per bit. A table is
// two rows of 32 blocks: that of the garbler half, then that of the evaluator half.
#pragma once
#include "garble/chunks.h"

namespace pi {

// Garbles one AND. `carry` holds the zero labels of the carry in, which are replaced by those of
// the carry out. `u` and `v` hold zero labels.
template <class Block4>
void garble_gate(const RoundKeys& garbler_key, const RoundKeys& evaluator_key, Block4 delta,
                 const Lanes<Block4>& u, const std::uint8_t* v, Lanes<Block4>& carry,
                 std::uint8_t* table) {
  constexpr int kN = Block4::kInFlight / 2;
  for (int i = 0; i < Lanes<Block4>::kQuads; i += kN) {
    Block4 a[2 * kN];
    Block4 b[2 * kN];
    Block4 ha[2 * kN];
    Block4 hb[2 * kN];
    for (int k = 0; k < kN; ++k) {
      a[k] = u.at[i + k] ^ carry.at[i + k];
      a[kN + k] = a[k] ^ delta;
    }
    hash<2 * kN>(a, ha, garbler_key);
    for (int k = 0; k < kN; ++k) {
      b[k] = Block4::load(v + 64 * (i + k)) ^ carry.at[i + k];
      b[kN + k] = b[k] ^ delta;
    }
    hash<2 * kN>(b, hb, evaluator_key);
    for (int k = 0; k < kN; ++k) {
      const Block4 color_b = b[k].color_mask();
      const Block4 garbler_row = ha[k] ^ ha[kN + k] ^ (color_b & delta);
      const Block4 evaluator_row = hb[k] ^ hb[kN + k] ^ a[k];
      const Block4 garbler_out = ha[k] ^ (a[k].color_mask() & garbler_row);
      const Block4 evaluator_out = hb[k] ^ (color_b & (evaluator_row ^ a[k]));
      garbler_row.store(table + 64 * (i + k));
      evaluator_row.store(table + kRowBytes + static_cast<std::size_t>(64 * (i + k)));
      carry.at[i + k] = carry.at[i + k] ^ garbler_out ^ evaluator_out;
    }
  }
}

// Evaluates one AND. `carry` holds the active labels of the carry in, which are replaced by those
// of the carry out. `u` and `v` hold active labels.
template <class Block4>
void evaluate_gate(const RoundKeys& garbler_key, const RoundKeys& evaluator_key,
                   const std::uint8_t* u, const std::uint8_t* v, Lanes<Block4>& carry,
                   const std::uint8_t* table) {
  constexpr int kN = Block4::kInFlight;
  for (int i = 0; i < Lanes<Block4>::kQuads; i += kN) {
    Block4 in[kN];
    Block4 hashed[kN];
    Block4 out[kN];
    Block4 row[kN];
    for (int k = 0; k < kN; ++k) in[k] = Block4::load(u + 64 * (i + k)) ^ carry.at[i + k];
    hash<kN>(in, hashed, garbler_key);
    for (int k = 0; k < kN; ++k) {
      const Block4 garbler_row = Block4::load(table + 64 * (i + k));
      out[k] = carry.at[i + k] ^ hashed[k] ^ (in[k].color_mask() & garbler_row);
      row[k] = Block4::load(table + kRowBytes + static_cast<std::size_t>(64 * (i + k))) ^ in[k];
      in[k] = Block4::load(v + 64 * (i + k)) ^ carry.at[i + k];
    }
    hash<kN>(in, hashed, evaluator_key);
    for (int k = 0; k < kN; ++k) {
      carry.at[i + k] = out[k] ^ hashed[k] ^ (in[k].color_mask() & row[k]);
    }
  }
}

// Holds the labels of the carries that a gadget uses: into the top bit, and into the first bit
// kept.
template <class Block4>
struct Carries {
  Lanes<Block4> last = Lanes<Block4>::zero();
  Lanes<Block4> kept = Lanes<Block4>::zero();
};

// Garbles the adder and moves `garbled` past its blocks: the tables, then the rows of the chunks.
template <class Block4>
Carries<Block4> garble_adder(const GroupKeys<Block4>& keys, const GarblerLabels<Block4>& garbler,
                             Block4 delta, const GadgetLayout& layout,
                             const std::uint8_t* zero_labels, std::uint8_t*& garbled) {
  Carries<Block4> carries;
  Lanes<Block4> u[kMostChunkBits];
  typename GarblerLabels<Block4>::ChunkMasks masks;
  if (layout.chunked_bits > 0) masks = garbler.chunk_masks();
  std::uint8_t* tables = garbled;
  garbled += 2 * kRowBytes * static_cast<std::size_t>(layout.gate_count);
  for (int first = 0, width = 0; first < layout.gate_count; first += width) {
    width = chunk_width(layout.label_chunk, layout.gate_count, first);
    if (width > 1) {
      Chunks<Block4>::garble(keys, garbler, delta, first, width, masks.of(first, width), garbled,
                             u);
    } else {
      for (int i = 0; i < Lanes<Block4>::kQuads; i += Block4::kInFlight) {
        garbler.zero_labels(first, i, u[0].at + i);
      }
    }
    for (int bit = 0; bit < width; ++bit) {
      const int gate = first + bit;
      const auto at = static_cast<std::size_t>(gate);
      if (gate == layout.carry_at) carries.kept = carries.last;
      garble_gate(keys.garbler_half(gate), keys.evaluator_half(gate), delta, u[bit],
                  zero_labels + kRowBytes * at, carries.last, tables + 2 * kRowBytes * at);
    }
  }
  if (layout.carry_at == layout.gate_count) carries.kept = carries.last;
  return carries;
}

// Evaluates the adder; moves `message` past labels, keys and pointers, and `garbled` past the
// blocks.
template <class Block4>
Carries<Block4> evaluate_adder(const GroupKeys<Block4>& keys, const GadgetLayout& layout,
                               const std::uint8_t* evaluator_labels, const std::uint8_t*& message,
                               const std::uint8_t*& garbled) {
  Carries<Block4> carries;
  Lanes<Block4> unlocked[kMostChunkBits];
  alignas(64) std::uint8_t labels[kMostChunkBits][kRowBytes];
  const std::uint8_t* row = message;
  message += kRowBytes * layout.label_rows;
  const std::uint8_t* tables = garbled;
  garbled += 2 * kRowBytes * static_cast<std::size_t>(layout.gate_count);
  for (int first = 0, width = 0; first < layout.gate_count; first += width, row += kRowBytes) {
    width = chunk_width(layout.label_chunk, layout.gate_count, first);
    if (width > 1) {
      Chunks<Block4>::unlock(keys, first, width, row, message, garbled, unlocked);
      for (int bit = 0; bit < width; ++bit) unlocked[bit].store(labels[bit]);
    }
    for (int bit = 0; bit < width; ++bit) {
      const int gate = first + bit;
      const auto at = static_cast<std::size_t>(gate);
      if (gate == layout.carry_at) carries.kept = carries.last;
      evaluate_gate(keys.garbler_half(gate), keys.evaluator_half(gate),
                    width > 1 ? labels[bit] : row, evaluator_labels + kRowBytes * at, carries.last,
                    tables + 2 * kRowBytes * at);
    }
  }
  if (layout.carry_at == layout.gate_count) carries.kept = carries.last;
  return carries;
}

// Holds the garbler's pads of a wire by color: of[c] is H(the label with color c), first kCount
// words.
template <class Block4, int kCount>
struct PadsByColor {
  Words zero_color;  // the color of the zero label, which only the garbler knows
  BlockWords<Block4, kCount> of[2];

  PadsByColor(const Lanes<Block4>& zero, Block4 delta, const RoundKeys& keys)
      : PadsByColor(zero, hash_lanes(zero, keys), hash_lanes(zero ^ delta, keys)) {}

 private:
  PadsByColor(const Lanes<Block4>& zero, const Lanes<Block4>& h0, const Lanes<Block4>& h1)
      : zero_color(colors(zero)), of{pick(zero, h0, h1), pick(zero, h1, h0)} {}

  // Returns h0 where the zero label has color 0, else h1.
  static BlockWords<Block4, kCount> pick(const Lanes<Block4>& zero, const Lanes<Block4>& h0,
                                         const Lanes<Block4>& h1) {
    Lanes<Block4> out;
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      out.at[i] = h0.at[i] ^ (zero.at[i].color_mask() & (h0.at[i] ^ h1.at[i]));
    }
    return BlockWords<Block4, kCount>(out);
  }
};

}  // namespace pi
