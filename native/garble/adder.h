// Garbles and evaluates the adder of a gadget, 32 lanes in lock step.
//
// The carry into the next bit is c xor (u xor c)(v xor c), which takes one AND per bit, of the
// garbling that the gadget names (half_gates.h, three_halves.h).
#pragma once
#include "garble/chunks.h"
#include "garble/half_gates.h"
#include "garble/three_halves.h"

namespace pi {

// Holds the labels of the carries that a gadget uses: into the top bit, and into the first bit
// kept.
template <class Block4>
struct Carries {
  Lanes<Block4> last = Lanes<Block4>::zero();
  Lanes<Block4> kept = Lanes<Block4>::zero();
};

// Garbles and evaluates with `Gate` for every AND.
template <class Block4, class Gate>
struct Adder {
  static Carries<Block4> garble(const GroupKeys<Block4>& keys, const GarblerLabels<Block4>& garbler,
                                Block4 delta, const GadgetLayout& layout,
                                const std::uint8_t* zero_labels, std::uint8_t* garbled) {
    Carries<Block4> carries;
    Lanes<Block4> u[kMostChunkBits];
    typename GarblerLabels<Block4>::ChunkMasks masks;
    if (layout.chunked_bits > 0) masks = garbler.chunk_masks();
    std::uint8_t* tables = garbled;
    std::uint8_t* control = garbled + layout.control_at;
    std::uint8_t* chunk_rows = garbled + layout.chunk_rows_at;
    for (int first = 0, width = 0; first < layout.gate_count; first += width) {
      width = chunk_width(layout.label_chunk, layout.gate_count, first);
      if (width > 1) {
        Chunks<Block4>::garble(keys, garbler, delta, first, width, masks.of(first, width),
                               chunk_rows, u);
      } else {
        for (int i = 0; i < Lanes<Block4>::kQuads; i += Block4::kInFlight) {
          garbler.zero_labels(first, i, u[0].at + i);
        }
      }
      for (int bit = 0; bit < width; ++bit) {
        const int gate = first + bit;
        const auto at = static_cast<std::size_t>(gate);
        if (gate == layout.carry_at) carries.kept = carries.last;
        Gate::garble(keys.gate(gate), delta, u[bit], zero_labels + kRowBytes * at, carries.last,
                     tables + layout.table_bytes * at, control + layout.control_bytes * at);
      }
    }
    if (layout.carry_at == layout.gate_count) carries.kept = carries.last;
    return carries;
  }

  // Moves `message` past labels, keys and pointers.
  static Carries<Block4> evaluate(const GroupKeys<Block4>& keys, const GadgetLayout& layout,
                                  const std::uint8_t* evaluator_labels,
                                  const std::uint8_t*& message, const std::uint8_t* garbled) {
    Carries<Block4> carries;
    Lanes<Block4> unlocked[kMostChunkBits];
    alignas(64) std::uint8_t labels[kMostChunkBits][kRowBytes];
    const std::uint8_t* row = message;
    message += kRowBytes * layout.label_rows;
    const std::uint8_t* tables = garbled;
    const std::uint8_t* control = garbled + layout.control_at;
    const std::uint8_t* chunk_rows = garbled + layout.chunk_rows_at;
    for (int first = 0, width = 0; first < layout.gate_count; first += width, row += kRowBytes) {
      width = chunk_width(layout.label_chunk, layout.gate_count, first);
      if (width > 1) {
        Chunks<Block4>::unlock(keys, first, width, row, message, chunk_rows, unlocked);
        for (int bit = 0; bit < width; ++bit) unlocked[bit].store(labels[bit]);
      }
      for (int bit = 0; bit < width; ++bit) {
        const int gate = first + bit;
        const auto at = static_cast<std::size_t>(gate);
        if (gate == layout.carry_at) carries.kept = carries.last;
        Gate::evaluate(keys.gate(gate), width > 1 ? labels[bit] : row,
                       evaluator_labels + kRowBytes * at, carries.last,
                       tables + layout.table_bytes * at, control + layout.control_bytes * at);
      }
    }
    if (layout.carry_at == layout.gate_count) carries.kept = carries.last;
    return carries;
  }
};

// Garbles the adder and moves `garbled` past its blocks: tables, rows of chunks, control bits.
template <class Block4>
Carries<Block4> garble_adder(const GroupKeys<Block4>& keys, const GarblerLabels<Block4>& garbler,
                             Block4 delta, const GadgetLayout& layout,
                             const std::uint8_t* zero_labels, std::uint8_t*& garbled) {
  std::uint8_t* blocks = garbled;
  garbled += layout.block_bytes;
  if (layout.garbling == Garbling::kThreeHalves) {
    return Adder<Block4, ThreeHalves<Block4>>::garble(keys, garbler, delta, layout, zero_labels,
                                                      blocks);
  }
  return Adder<Block4, HalfGates<Block4>>::garble(keys, garbler, delta, layout, zero_labels,
                                                  blocks);
}

// Evaluates the adder; moves `message` past labels, keys and pointers, and `garbled` past the
// blocks.
template <class Block4>
Carries<Block4> evaluate_adder(const GroupKeys<Block4>& keys, const GadgetLayout& layout,
                               const std::uint8_t* evaluator_labels, const std::uint8_t*& message,
                               const std::uint8_t*& garbled) {
  const std::uint8_t* blocks = garbled;
  garbled += layout.block_bytes;
  if (layout.garbling == Garbling::kThreeHalves) {
    return Adder<Block4, ThreeHalves<Block4>>::evaluate(keys, layout, evaluator_labels, message,
                                                        blocks);
  }
  return Adder<Block4, HalfGates<Block4>>::evaluate(keys, layout, evaluator_labels, message,
                                                    blocks);
}

}  // namespace pi
