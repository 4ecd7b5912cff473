// The adder of a gadget in half-gates (Zahur, Rosulek, Evans, EUROCRYPT 2015), garbler and
// evaluator side by side, 32 lanes in lock step.
//
// The carry into the next bit is c xor (u xor c)(v xor c): one AND a bit. A table is two rows of 32
// blocks: the garbler half's, then the evaluator half's.
#pragma once
#include "garble/lanes.h"

namespace pi {

// The hash keys of one group: two a gate, then one for each output that is hashed.
template <class Block4>
class GroupKeys {
 public:
  static constexpr int kMostGates = 31;

  // `outputs` are purposes at position gate_count.
  template <int kOutputs>
  GroupKeys(const std::uint8_t* seed, std::uint32_t gadget, std::uint32_t group, int gate_count,
            const Purpose (&outputs)[kOutputs])
      : gate_count_(gate_count) {
    static_assert(kOutputs <= kMostOutputs);
    std::uint8_t raw[2 * kMostGates + kMostOutputs][kBlockBytes];
    for (int gate = 0; gate < gate_count; ++gate) {
      const auto position = static_cast<std::uint32_t>(gate);
      tweaked_key(seed, {Purpose::kAndGarbler, gadget, group, position, 0}, raw[2 * gate]);
      tweaked_key(seed, {Purpose::kAndEvaluator, gadget, group, position, 0}, raw[2 * gate + 1]);
    }
    for (int i = 0; i < kOutputs; ++i) {
      const auto position = static_cast<std::uint32_t>(gate_count);
      tweaked_key(seed, {outputs[i], gadget, group, position, 0}, raw[2 * gate_count + i]);
    }
    expand_keys<Block4>(raw[0], 2 * gate_count + kOutputs, keys_);
  }

  const RoundKeys& garbler_half(int gate) const { return keys_[2 * gate]; }
  const RoundKeys& evaluator_half(int gate) const { return keys_[2 * gate + 1]; }
  const RoundKeys& output(int i) const { return keys_[2 * gate_count_ + i]; }

 private:
  static constexpr int kMostOutputs = 3;
  int gate_count_;
  RoundKeys keys_[2 * kMostGates + kMostOutputs];
};

// carry: zero labels of the carry in, replaced by those of the carry out. u, v: zero labels.
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

// carry: active labels of the carry in, replaced by those of the carry out. u, v: active labels.
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

// Labels of the carries that a gadget uses: into the top bit, and into the first bit kept.
template <class Block4>
struct Carries {
  Lanes<Block4> last = Lanes<Block4>::zero();
  Lanes<Block4> kept = Lanes<Block4>::zero();
};

template <class Block4>
Carries<Block4> garble_adder(const GroupKeys<Block4>& keys, const ServerLabels<Block4>& server,
                             Block4 delta, int gate_count, int carry_at,
                             const std::uint8_t* zero_labels, std::uint8_t* tables) {
  Carries<Block4> carries;
  Lanes<Block4> u;
  for (int gate = 0; gate < gate_count; ++gate) {
    const auto at = static_cast<std::size_t>(gate);
    if (gate == carry_at) carries.kept = carries.last;
    for (int i = 0; i < Lanes<Block4>::kQuads; i += Block4::kInFlight) {
      server.zero_labels(gate, i, u.at + i);
    }
    garble_gate(keys.garbler_half(gate), keys.evaluator_half(gate), delta, u,
                zero_labels + kRowBytes * at, carries.last, tables + 2 * kRowBytes * at);
  }
  if (carry_at == gate_count) carries.kept = carries.last;
  return carries;
}

template <class Block4>
Carries<Block4> evaluate_adder(const GroupKeys<Block4>& keys, int gate_count, int carry_at,
                               const std::uint8_t* server_labels, const std::uint8_t* client_labels,
                               const std::uint8_t* tables) {
  Carries<Block4> carries;
  for (int gate = 0; gate < gate_count; ++gate) {
    const auto at = static_cast<std::size_t>(gate);
    if (gate == carry_at) carries.kept = carries.last;
    evaluate_gate(keys.garbler_half(gate), keys.evaluator_half(gate),
                  server_labels + kRowBytes * at, client_labels + kRowBytes * at, carries.last,
                  tables + 2 * kRowBytes * at);
  }
  if (carry_at == gate_count) carries.kept = carries.last;
  return carries;
}

// The garbler's pads of a wire by colour: of[c] = H(the label with colour c), first kCount words.
template <class Block4, int kCount>
struct PadsByColor {
  Words zero_color;  // the colour of the zero label, which only the garbler knows
  BlockWords<Block4, kCount> of[2];

  PadsByColor(const Lanes<Block4>& zero, Block4 delta, const RoundKeys& keys)
      : PadsByColor(zero, hash_lanes(zero, keys), hash_lanes(zero ^ delta, keys)) {}

 private:
  PadsByColor(const Lanes<Block4>& zero, const Lanes<Block4>& h0, const Lanes<Block4>& h1)
      : zero_color(colors(zero)), of{pick(zero, h0, h1), pick(zero, h1, h0)} {}

  // h0 where the zero label has colour 0, else h1.
  static BlockWords<Block4, kCount> pick(const Lanes<Block4>& zero, const Lanes<Block4>& h0,
                                         const Lanes<Block4>& h1) {
    Lanes<Block4> out;
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      out.at[i] = h0.at[i] ^ (zero.at[i].color_mask() & (h0.at[i] ^ h1.at[i]));
    }
    return BlockWords<Block4, kCount>(out);
  }
};

// Active labels of the server's bits of u from first_bit on.
template <class Block4>
void encode_labels(const ServerLabels<Block4>& server, Block4 delta, int gate_count, int first_bit,
                   const Words& u, std::uint8_t* out) {
  Lanes<Block4> spread;
  for (int i = 0; i < Lanes<Block4>::kQuads; ++i) spread.at[i] = Block4::spread(u.at + 4 * i);
  for (int gate = 0; gate < gate_count; ++gate) {
    const std::uint32_t bit = 1u << (first_bit + gate);
    std::uint8_t* row = out + kRowBytes * static_cast<std::size_t>(gate);
    for (int i = 0; i < Lanes<Block4>::kQuads; i += Block4::kInFlight) {
      Block4 labels[Block4::kInFlight];
      server.zero_labels(gate, i, labels);
      for (int k = 0; k < Block4::kInFlight; ++k) {
        labels[k] = labels[k] ^ spread.at[i + k].where_bit(bit, delta);
        labels[k].store(row + 64 * (i + k));
      }
    }
  }
}

}  // namespace pi
