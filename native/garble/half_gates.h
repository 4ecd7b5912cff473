// Garbles and evaluates one AND of 32 lanes in half-gates (Zahur, Rosulek, Evans, EUROCRYPT 2015).
//
// A table is two rows of 32 blocks: that of the garbler half, then that of the evaluator half.
#pragma once
#include "symmetric/lanes.h"

namespace pi {

template <class Block4>
struct HalfGates {
  static constexpr int kGarblerHalf = 0;  // keys of a gate, in the order of `gate_keys`
  static constexpr int kEvaluatorHalf = 1;

  // Garbles. `carry` holds the zero labels of the carry in, which are replaced by those of the
  // carry out. `u` and `v` hold zero labels. There are no control bits.
  static void garble(const RoundKeys* keys, Block4 delta, const Lanes<Block4>& u,
                     const std::uint8_t* v, Lanes<Block4>& carry, std::uint8_t* table,
                     std::uint8_t* /*control*/) {
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
      hash<2 * kN>(a, ha, keys[kGarblerHalf]);
      for (int k = 0; k < kN; ++k) {
        b[k] = Block4::load(v + 64 * (i + k)) ^ carry.at[i + k];
        b[kN + k] = b[k] ^ delta;
      }
      hash<2 * kN>(b, hb, keys[kEvaluatorHalf]);
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

  // Evaluates. `carry` holds the active labels of the carry in, which are replaced by those of the
  // carry out. `u` and `v` hold active labels.
  static void evaluate(const RoundKeys* keys, const std::uint8_t* u, const std::uint8_t* v,
                       Lanes<Block4>& carry, const std::uint8_t* table,
                       const std::uint8_t* /*control*/) {
    constexpr int kN = Block4::kInFlight;
    for (int i = 0; i < Lanes<Block4>::kQuads; i += kN) {
      Block4 in[kN];
      Block4 hashed[kN];
      Block4 out[kN];
      Block4 row[kN];
      for (int k = 0; k < kN; ++k) in[k] = Block4::load(u + 64 * (i + k)) ^ carry.at[i + k];
      hash<kN>(in, hashed, keys[kGarblerHalf]);
      for (int k = 0; k < kN; ++k) {
        const Block4 garbler_row = Block4::load(table + 64 * (i + k));
        out[k] = carry.at[i + k] ^ hashed[k] ^ (in[k].color_mask() & garbler_row);
        row[k] = Block4::load(table + kRowBytes + static_cast<std::size_t>(64 * (i + k))) ^ in[k];
        in[k] = Block4::load(v + 64 * (i + k)) ^ carry.at[i + k];
      }
      hash<kN>(in, hashed, keys[kEvaluatorHalf]);
      for (int k = 0; k < kN; ++k) {
        carry.at[i + k] = out[k] ^ hashed[k] ^ (in[k].color_mask() & row[k]);
      }
    }
  }
};

}  // namespace pi
