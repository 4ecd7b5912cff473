// Garbles, encodes and unlocks chunked labels: one 128-bit key on the wire unlocks the labels of 2
// to 4 bits of u (docs/threat-model.md, "Chunked labels").
//
// A chunk of w bits has 2^w keys K_p, each a PRF output of its place, and a mask m of w bits. For
// the value a the garbler sends K_p and the pointer p = a xor m. With j_t the tweak of bit t,
//
//   zero label of bit t   L_t = H(K_0, j_t) xor m_t delta
//   unlock row p, bit t   H(K_p, j_t) xor H(K_0, j_t) xor p_t delta       (p = 0: none is needed)
//   evaluator             H(K_p, j_t) xor row = L_t xor a_t delta
//
// A lone bit left over is a plain label: the PRF output is its zero label.
#pragma once
#include "garble/garbler_labels.h"
#include "garble/group_keys.h"

namespace pi {

template <class Block4>
class Chunks {
  using P = Pieces<Block4>;

 public:
  // Makes the zero labels of the chunk's bits and its rows, [bit][pointer - 1][lane][16]; for the
  // garbler, offline.
  static void garble(const GroupKeys<Block4>& keys, const GarblerLabels<Block4>& garbler,
                     Block4 delta, int first, int width, const Words& masks, std::uint8_t*& rows,
                     Lanes<Block4>* zero) {
    const int pointers = 1 << width;
    Words pointer = {};
    const Lanes<Block4> free_key = garbler.chunk_keys(first, width, pointer);
    for (int bit = 0; bit < width; ++bit) zero[bit] = keys.hash_chunk_keys(free_key, first + bit);
    for (int p = 1; p < pointers; ++p) {
      for (std::uint32_t& lane : pointer.at) lane = static_cast<std::uint32_t>(p);
      const Lanes<Block4> key = garbler.chunk_keys(first, width, pointer);
      for (int bit = 0; bit < width; ++bit) {
        Lanes<Block4> row = keys.hash_chunk_keys(key, first + bit) ^ zero[bit];
        if ((p >> bit & 1) != 0) row = row ^ delta;  // p is a place here, not a value
        const int place = bit * (pointers - 1) + p - 1;
        row.store(rows + kRowBytes * static_cast<std::size_t>(place));
      }
    }
    rows += kRowBytes * static_cast<std::size_t>(unlock_rows(width));
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      const Block4 mask = Block4::spread(masks.at + 4 * i);
      for (int bit = 0; bit < width; ++bit) {
        zero[bit].at[i] = zero[bit].at[i] ^ mask.where_bit(1u << bit, delta);
      }
    }
  }

  // Writes one key per lane, and the pointers as one packed word per bit; for the garbler, online.
  // `values`: the bits of u in the chunk, lane by lane.
  static void encode(const GarblerLabels<Block4>& garbler, int first, int width, const Words& masks,
                     Words values, std::uint8_t* out, std::uint8_t*& pointer_bits) {
    for (int lane = 0; lane < kLanes; ++lane) values.at[lane] ^= masks.at[lane];
    garbler.chunk_keys(first, width, values).store(out);
    for (int bit = 0; bit < width; ++bit) {
      P::store_bits(pointer_bits, values);
      for (std::uint32_t& lane : values.at) lane >>= 1;
    }
  }

  // Computes the active labels of the chunk's bits; for the evaluator, online. It reads every row,
  // whatever the pointer.
  static void unlock(const GroupKeys<Block4>& keys, int first, int width,
                     const std::uint8_t* key_row, const std::uint8_t*& pointer_bits,
                     const std::uint8_t*& rows, Lanes<Block4>* active) {
    const int pointers = 1 << width;
    Words pointer = P::load_bits(pointer_bits);
    for (int bit = 1; bit < width; ++bit) {
      const Words next = P::load_bits(pointer_bits);
      for (int lane = 0; lane < kLanes; ++lane) pointer.at[lane] |= next.at[lane] << bit;
    }
    for (std::uint32_t& lane : pointer.at) lane = 1u << lane;
    const Lanes<Block4> key = Lanes<Block4>::load(key_row);
    for (int bit = 0; bit < width; ++bit) {
      active[bit] = keys.hash_chunk_keys(key, first + bit);
      for (int p = 1; p < pointers; ++p, rows += kRowBytes) {
        for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
          const Block4 row = Block4::load(rows + 64 * i);
          active[bit].at[i] =
              active[bit].at[i] ^ Block4::spread(pointer.at + 4 * i).where_bit(1u << p, row);
        }
      }
    }
  }
};

// Writes the active labels or keys of the garbler's bits of u, then the packed pointers of its
// chunks.
template <class Block4>
void encode_labels(const GarblerLabels<Block4>& garbler, Block4 delta, const GadgetLayout& layout,
                   const Words& u, std::uint8_t*& message) {
  Lanes<Block4> spread;
  for (int i = 0; i < Lanes<Block4>::kQuads; ++i) spread.at[i] = Block4::spread(u.at + 4 * i);
  std::uint8_t* row = message;
  message += layout.label_rows * kRowBytes;
  typename GarblerLabels<Block4>::ChunkMasks masks;
  if (layout.chunked_bits > 0) masks = garbler.chunk_masks();
  for (int gate = 0; gate < layout.gate_count; row += kRowBytes) {
    const int width = chunk_width(layout.label_chunk, layout.gate_count, gate);
    const int shift = layout.first_bit + gate;
    if (width > 1) {
      Words values;
      for (int lane = 0; lane < kLanes; ++lane) {
        values.at[lane] = (u.at[lane] >> shift) & ((1u << width) - 1u);
      }
      Chunks<Block4>::encode(garbler, gate, width, masks.of(gate, width), values, row, message);
    } else {
      for (int i = 0; i < Lanes<Block4>::kQuads; i += Block4::kInFlight) {
        Block4 labels[Block4::kInFlight];
        garbler.zero_labels(gate, i, labels);
        for (int k = 0; k < Block4::kInFlight; ++k) {
          labels[k] = labels[k] ^ spread.at[i + k].where_bit(1u << shift, delta);
          labels[k].store(row + 64 * (i + k));
        }
      }
    }
    gate += width;
  }
}

}  // namespace pi
