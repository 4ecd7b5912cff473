// Shares a truth table whose index is masked: by one correlated OT per bit of the index.
//
// A digit of D bits has a table of 2^D bits per element, entry x at bit x of a block. The client
// starts with theta[x] = [x xor own > c], the server with zeros. Stage i exchanges the entries x
// and x xor 2^i of the server's table if its mask has bit i, and adds pads to both tables. With k0
// and k1 the pads of the two labels, the client sends
//
//   corr[x] = k0[x] xor k1[x] xor table[x] xor table[x xor 2^i]       (x with bit i clear)
//
// and adds k0[x] to both entries; the server adds its pad xor mask corr[x]. So the two tables add
// up to theta permuted by the mask. Only bits x with bit i clear of a pad are used.
#pragma once
#include "fss/layout.h"
#include "fss/streams.h"

namespace pi::fss {

template <class Block4>
class Butterfly {
 public:
  explicit Butterfly(int width) : width_(width), valid_(ones_below(1 << width)) {}

  // Computes theta. `index`: per lane, the digit's bits of c from bit `shift` on, and own likewise.
  // By [x > c] = majority of x_i, NOT c_i and the same of the lower bits, so that nothing is
  // shifted or indexed by a secret.
  Lanes<Block4> theta(const Words& c, const Words& own, int shift) const {
    Lanes<Block4> out;
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      Words not_c;
      for (int lane = 0; lane < 4; ++lane) not_c.at[lane] = ~c.at[4 * i + lane];
      const Block4 less = Block4::spread(not_c.at);
      const Block4 flip = Block4::spread(own.at + 4 * i);
      Block4 greater = Block4::zero();
      for (int bit = 0; bit < width_; ++bit) {
        const std::uint32_t at = std::uint32_t{1} << (shift + bit);
        const Block4 x = index_bit(bit) ^ flip.where_bit(at, valid_);
        greater = (x & greater) ^ less.where_bit(at, x ^ greater);
      }
      out.at[i] = greater & valid_;
    }
    return out;
  }

  // The client's stage: `zero` and `one` are the hashes of both labels.
  void correct(int stage, const Lanes<Block4>& zero, const Lanes<Block4>& one, Lanes<Block4>& table,
               std::uint8_t*& corrections) const {
    const Block4 clear = valid_ ^ (index_bit(stage) & valid_);
    Lanes<Block4> packed;
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      const Block4 differ = (table.at[i] ^ down(stage, table.at[i])) & clear;
      packed.at[i] = pack(stage, differ ^ ((zero.at[i] ^ one.at[i]) & clear));
      const Block4 half = zero.at[i] & clear;
      table.at[i] = table.at[i] ^ half ^ up(stage, half);
    }
    store(packed, corrections);
  }

  // The server's stage: `pad` is the hash of its label, whose choice is bit `choice` of the lanes.
  void accept(int stage, const Lanes<Block4>& pad, const Words& choices, int choice,
              const std::uint8_t*& corrections, Lanes<Block4>& table) const {
    const Block4 clear = valid_ ^ (index_bit(stage) & valid_);
    const Lanes<Block4> packed = load(corrections);
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      const Block4 differ = (table.at[i] ^ down(stage, table.at[i])) & clear;
      const Block4 chosen = Block4::spread(choices.at + 4 * i)
                                .where_bit(1u << choice, differ ^ unpack(stage, packed.at[i]));
      const Block4 half = (pad.at[i] & clear) ^ chosen;
      table.at[i] = table.at[i] ^ half ^ up(stage, half);
    }
  }

 private:
  // Bit x: bit `bit` of x.
  static Block4 index_bit(int bit) {
    constexpr std::uint64_t kHalf[6] = {0xaaaaaaaaaaaaaaaa, 0xcccccccccccccccc, 0xf0f0f0f0f0f0f0f0,
                                        0xff00ff00ff00ff00, 0xffff0000ffff0000, 0xffffffff00000000};
    if (bit == kDigitBits - 1) return Block4::of_halves(~std::uint64_t{0}, 0);
    return Block4::of_halves(kHalf[bit], kHalf[bit]);
  }
  static Block4 ones_below(int count) {
    if (count == 128) return Block4::of_halves(~std::uint64_t{0}, ~std::uint64_t{0});
    if (count == 64) return Block4::of_halves(0, ~std::uint64_t{0});
    return Block4::of_halves(0, (std::uint64_t{1} << count) - 1);
  }

  // Moves entry x + 2^stage to x, or back, for x with the stage's bit clear.
  static Block4 down(int stage, Block4 table) {
    return stage == kDigitBits - 1 ? table.halves_swapped() : table.halves_right(1 << stage);
  }
  static Block4 up(int stage, Block4 table) {
    return stage == kDigitBits - 1 ? table.halves_swapped() : table.halves_left(1 << stage);
  }

  // The wire has 2^(D-1) places, and the top bit of an entry stands at place bit `stage`.
  Block4 pack(int stage, Block4 half) const {
    if (stage == width_ - 1) return half;
    const Block4 low = half & ones_below(1 << (width_ - 1));
    return low ^ up(stage, down(width_ - 1, half ^ low));
  }
  Block4 unpack(int stage, Block4 packed) const {
    if (stage == width_ - 1) return packed;
    const Block4 high = packed & index_bit(stage);
    return packed ^ high ^ up(width_ - 1, down(stage, high));
  }

  void store(const Lanes<Block4>& packed, std::uint8_t*& to) const {
    if (width_ == kDigitBits) {
      alignas(64) std::uint64_t raw[kLanes][2];
      packed.store(reinterpret_cast<std::uint8_t*>(raw));
      std::uint64_t out[kLanes];
      for (int lane = 0; lane < kLanes; ++lane) out[lane] = raw[lane][0];
      std::memcpy(to, out, sizeof out);
      to += sizeof out;
    } else {
      Streams<Block4>::store(to, BlockWords<Block4, 1>(packed).word[0], 1 << (width_ - 1));
    }
  }
  Lanes<Block4> load(const std::uint8_t*& from) const {
    alignas(64) std::uint64_t raw[kLanes][2] = {};
    if (width_ == kDigitBits) {
      std::uint64_t in[kLanes];
      std::memcpy(in, from, sizeof in);
      from += sizeof in;
      for (int lane = 0; lane < kLanes; ++lane) raw[lane][0] = in[lane];
    } else {
      const Words words = Streams<Block4>::load(from, 1 << (width_ - 1));
      for (int lane = 0; lane < kLanes; ++lane) raw[lane][0] = words.at[lane];
    }
    return Lanes<Block4>::load(reinterpret_cast<const std::uint8_t*>(raw));
  }

  int width_;
  Block4 valid_;
};

}  // namespace pi::fss
