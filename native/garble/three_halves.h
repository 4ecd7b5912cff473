// Garbles and evaluates one AND of 32 lanes in three halves (Rosulek, Roy, CRYPTO 2021), without
// the two control bits that row reduction makes zero (docs/threat-model.md, "Three-halves
// garbling").
//
// A label is a pair (lower, upper) of halves, a vector over GF(4) = {0, 1, w, 1 + w}, w^2 = 1 + w.
// sigma multiplies by w: sigma(lower, upper) = (upper, lower xor upper). With i and j the colors of
// the active A and B, and X = A xor B, the evaluator computes
//
//   C = (H(A) + H(X) + i G0 + (i+j) G2 + i B.lower, H(B) + H(X) + j G1 + (i+j) G2 + j A.upper)
//       + dice (A + w B)
//
// The dice are two bits: those of H(A) + H(X) + i z0 + (i+j) z2 and H(B) + H(X) + j z1 + (i+j) z2,
// which are uniform for each pair of colors. A table is a row of 32 pairs (G0, G1), then a row of
// 32 halves G2. Its control bits z0, z1, z2 are packed words of 32 lanes.
#pragma once
#include "symmetric/lanes.h"

namespace pi {

template <class Block4>
class ThreeHalves {
  static constexpr int kOfA = 0;  // keys of a gate, in the order of `gate_keys`
  static constexpr int kOfB = 1;
  static constexpr int kOfX = 2;
  static constexpr Words kLaneBits = [] {
    Words out{};
    for (int lane = 0; lane < kLanes; ++lane) out.at[lane] = 1u << lane;
    return out;
  }();

 public:
  // Garbles. `carry` holds the zero labels of the carry in, which are replaced by those of the
  // carry out. `u` and `v` hold zero labels.
  static void garble(const RoundKeys* keys, Block4 delta, const Lanes<Block4>& u,
                     const std::uint8_t* v, Lanes<Block4>& carry, std::uint8_t* table,
                     std::uint8_t* control) {
    constexpr int kN = Block4::kInFlight / 2;
    const Block4 delta_w = delta.sigma();
    const Block4 delta_rotated = delta.words_rotated();
    std::uint32_t controls[3] = {};
    for (int i = 0; i < Lanes<Block4>::kQuads; i += kN) {
      Block4 a[2 * kN];
      Block4 b[2 * kN];
      Block4 x[2 * kN];
      Block4 ha[2 * kN];
      Block4 hb[2 * kN];
      Block4 hx[2 * kN];
      for (int k = 0; k < kN; ++k) {
        a[k] = u.at[i + k] ^ carry.at[i + k];
        b[k] = Block4::load(v + 64 * (i + k)) ^ carry.at[i + k];
        x[k] = a[k] ^ b[k];
        a[kN + k] = a[k] ^ delta;
        b[kN + k] = b[k] ^ delta;
        x[kN + k] = x[k] ^ delta;
      }
      cipher<2 * kN>(x, hx, keys[kOfX]);
      cipher<2 * kN>(a, ha, keys[kOfA]);
      cipher<2 * kN>(b, hb, keys[kOfB]);
      for (int k = 0; k < kN; ++k) {
        // Colors of the zero labels, which only the garbler knows; the labels with color 0.
        const Block4 color_a = a[k].color_mask();
        const Block4 color_b = b[k].color_mask();
        const Block4 a0 = a[k] ^ (color_a & delta);
        const Block4 b0 = b[k] ^ (color_b & delta);
        const Block4 both_a = ha[k] ^ ha[kN + k];
        const Block4 both_b = hb[k] ^ hb[kN + k];
        const Block4 both_x = hx[k] ^ hx[kN + k];
        const Block4 sum_a = both_a ^ delta_rotated;
        const Block4 sum_b = both_b ^ delta_rotated;
        const Block4 sum_x = both_x ^ delta_rotated;
        const Block4 hx0 = hx[k] ^ ((color_a ^ color_b) & both_x);
        const Block4 out_a = ha[k] ^ (color_a & both_a) ^ hx0 ^ b0.words_rotated();
        const Block4 out_b = hb[k] ^ (color_b & both_b) ^ hx0 ^ a0.words_rotated();
        const Block4 dice[2] = {out_a.color_mask(), out_b.color_mask()};
        const Block4 zero = a[k] ^ b[k].sigma();
        const Block4 moved =
            (color_a & zero) ^ (color_b & zero.sigma()) ^ (dice[0] & delta) ^ (dice[1] & delta_w);
        const Block4 moved_w = moved.sigma();
        const Block4 row = Block4::high_halves(sum_a, sum_b) ^ moved ^ moved_w ^ crossed(a0, b0);
        const Block4 row_x = Block4::high_halves(sum_x, sum_x) ^ moved_w;
        row.store(table + 64 * (i + k));
        row_x.store_low_halves(table + kRowBytes + static_cast<std::size_t>(32 * (i + k)));
        const Block4 first = zero ^ (color_a & delta) ^ (color_b & delta_w);
        carry.at[i + k] = carry.at[i + k] ^ Block4::high_halves(out_a, out_b) ^ times(dice, first) ^
                          (color_a & color_b & delta);
        controls[0] |= (sum_a ^ color_a ^ color_b).low_bits() << 4 * (i + k);
        controls[1] |= (sum_b ^ color_a).low_bits() << 4 * (i + k);
        controls[2] |= (sum_x ^ color_b).low_bits() << 4 * (i + k);
      }
    }
    std::memcpy(control, controls, sizeof controls);
  }

  // Evaluates. `carry` holds the active labels of the carry in, which are replaced by those of the
  // carry out. `u` and `v` hold active labels.
  static void evaluate(const RoundKeys* keys, const std::uint8_t* u, const std::uint8_t* v,
                       Lanes<Block4>& carry, const std::uint8_t* table,
                       const std::uint8_t* control) {
    constexpr int kN = Block4::kInFlight;
    std::uint32_t packed[3];
    std::memcpy(packed, control, sizeof packed);
    Words controls;  // bits z0, z1, z2 of each lane
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::uint32_t at = kLaneBits.at[lane];
      controls.at[lane] = ((packed[0] & at) != 0 ? 1u : 0u) | ((packed[1] & at) != 0 ? 2u : 0u) |
                          ((packed[2] & at) != 0 ? 4u : 0u);
    }
    for (int i = 0; i < Lanes<Block4>::kQuads; i += kN) {
      Block4 a[kN];
      Block4 b[kN];
      Block4 x[kN];
      Block4 ha[kN];
      Block4 hb[kN];
      Block4 hx[kN];
      for (int k = 0; k < kN; ++k) {
        a[k] = Block4::load(u + 64 * (i + k)) ^ carry.at[i + k];
        b[k] = Block4::load(v + 64 * (i + k)) ^ carry.at[i + k];
        x[k] = a[k] ^ b[k];
      }
      cipher<kN>(x, hx, keys[kOfX]);
      cipher<kN>(a, ha, keys[kOfA]);
      cipher<kN>(b, hb, keys[kOfB]);
      for (int k = 0; k < kN; ++k) {
        const Block4 color_a = a[k].color_mask();
        const Block4 color_b = b[k].color_mask();
        const Block4 color_x = color_a ^ color_b;
        const Block4 z = Block4::spread(controls.at + 4 * (i + k));
        const Block4 out_a = ha[k] ^ hx[k] ^ b[k].words_rotated();
        const Block4 out_b = hb[k] ^ hx[k] ^ a[k].words_rotated();
        const Block4 of_x = color_x & z.halves_right(2);
        const Block4 dice[2] = {(out_a ^ (color_a & z) ^ of_x).color_mask(),
                                (out_b ^ (color_b & z.halves_right(1)) ^ of_x).color_mask()};
        const Block4 row = Block4::load(table + 64 * (i + k));
        const Block4 half =
            Block4::of_low_halves(table + kRowBytes + static_cast<std::size_t>(32 * (i + k)));
        const Block4 row_x = half ^ half.halves_swapped();
        // The lower halves of color_a and the upper ones of color_b, which are all ones or zero.
        const Block4 colors = Block4::high_halves(color_a, color_b);
        carry.at[i + k] = carry.at[i + k] ^ Block4::high_halves(out_a, out_b) ^
                          (colors & (row ^ crossed(a[k], b[k]))) ^ (color_x & row_x) ^
                          times(dice, a[k] ^ b[k].sigma());
      }
    }
  }

 private:
  // Computes AES_{S xor j}(x). The hash is H(x, j) = AES_{S xor j}(x) xor r(x), with the words of x
  // rotated by one; its upper half is the pad, its lowest bit the control bit. A rotation keeps 64
  // bits of delta in the pad whatever halves of delta a table adds to it, which sigma does not.
  // r is linear, so r(A) xor r(X) = r(B) and r(label) xor r(label xor delta) = r(delta).
  template <int N>
  [[gnu::always_inline]] static void cipher(const Block4* in, Block4* out, const RoundKeys& keys) {
    for (int i = 0; i < N; ++i) out[i] = in[i];
    encrypt<N>(out, keys);
  }

  // Returns the lower half of b and the upper half of a.
  [[gnu::always_inline]] static Block4 crossed(Block4 a, Block4 b) {
    return b ^ ((a ^ b) & Block4::of_halves(~std::uint64_t{0}, 0));
  }

  // Multiplies by the dice, two masks, in GF(4).
  [[gnu::always_inline]] static Block4 times(const Block4 (&dice)[2], Block4 x) {
    return (dice[0] & x) ^ (dice[1] & x.sigma());
  }
};

}  // namespace pi
