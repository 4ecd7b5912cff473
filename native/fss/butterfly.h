// Shares a truth table whose index is masked: by one correlated OT per bit of the index.
//
// A digit of D bits has a table of 2^D bits per element, entry x at bit x. The client starts with
// theta[x] = [x xor own > c], the server with zeros. Stage i exchanges the entries x and x xor 2^i
// of the server's table if its mask has bit i, and adds pads to both tables. With k0 and k1 the
// pads of the two labels, the client sends
//
//   corr[x] = k0[x] xor k1[x] xor table[x] xor table[x xor 2^i]       (x with bit i clear)
//
// and adds k0[x] to both entries; the server adds its pad xor mask corr[x]. So the two tables add
// up to theta permuted by the mask. Only bits x with bit i clear of a pad are used. On the wire a
// stage has 2^(D-1) places per element, and the top bit of an entry is at bit i of its place.
//
// A table of 6 or 7 bits is a block per element (BlockDigit), a smaller one a word (WordDigit).
#pragma once
#include "fss/layout.h"
#include "fss/streams.h"

namespace pi::fss {

template <class Block4, int kWidth>
class BlockDigit {
  static_assert(kWidth == kDigitBits || kWidth == kDigitBits - 1);

 public:
  // Computes theta. `c`: per lane, its bits of the digit from bit `shift` on. `own`: likewise, or
  // null for zeros. By [x > c] = majority of x_i, NOT c_i and the same of the lower bits, so that
  // nothing is shifted or indexed by a secret.
  static Lanes<Block4> theta(const Words& c, const Words* own, int shift) {
    Lanes<Block4> out;
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      Words not_c;
      for (int lane = 0; lane < 4; ++lane) not_c.at[lane] = ~c.at[4 * i + lane];
      const Block4 less = Block4::spread(not_c.at);
      const Block4 flip = own == nullptr ? Block4::zero() : Block4::spread(own->at + 4 * i);
      Block4 greater = Block4::zero();
      for (int bit = 0; bit < kWidth; ++bit) {
        const std::uint32_t at = std::uint32_t{1} << (shift + bit);
        Block4 x = index_bit(bit);
        if (own != nullptr) x = x ^ flip.where_bit(at, low_entries(1 << kWidth));
        greater = (x & greater) ^ less.where_bit(at, x ^ greater);
      }
      out.at[i] = greater & low_entries(1 << kWidth);
    }
    return out;
  }

  // The client's stage: `zero` and `one` are the hashes of both labels.
  template <int kStage>
  static void correct(const Lanes<Block4>& zero, const Lanes<Block4>& one, Lanes<Block4>& table,
                      std::uint8_t*& corrections) {
    const Block4 clear = clear_entries(kStage);
    // The low halves of a whole digit go out as they are, without a copy.
    alignas(64) std::uint8_t halves[8 * kLanes];
    std::uint8_t* to = kWidth == kDigitBits ? corrections : halves;
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      const Block4 differ = table.at[i] ^ down<kStage>(table.at[i]) ^ zero.at[i] ^ one.at[i];
      pack<kStage>(differ & clear).store_low_halves(to + 32 * i);
      const Block4 half = zero.at[i] & clear;
      table.at[i] = table.at[i] ^ half ^ up<kStage>(half);
    }
    if constexpr (kWidth == kDigitBits) {
      corrections += sizeof halves;
    } else {
      std::uint64_t wire[kLanes];
      std::memcpy(wire, halves, sizeof wire);
      Words words;
      for (int i = 0; i < kLanes; ++i) words.at[i] = static_cast<std::uint32_t>(wire[i]);
      Pieces<Block4>::store_words(corrections, words);
    }
  }

  // The server's stage: `pad` is the hash of its label, whose choice is bit `choice` of the lanes.
  template <int kStage>
  static void accept(const Lanes<Block4>& pad, const Lanes<Block4>& choices, int choice,
                     const std::uint8_t*& corrections, Lanes<Block4>& table) {
    const Block4 clear = clear_entries(kStage);
    alignas(64) std::uint8_t halves[8 * kLanes];
    const std::uint8_t* from = kWidth == kDigitBits ? corrections : halves;
    if constexpr (kWidth == kDigitBits) {
      corrections += sizeof halves;
    } else {
      const Words words = Pieces<Block4>::load_words(corrections);
      std::uint64_t wire[kLanes];
      for (int i = 0; i < kLanes; ++i) wire[i] = words.at[i];
      std::memcpy(halves, wire, sizeof wire);
    }
    for (int i = 0; i < Lanes<Block4>::kQuads; ++i) {
      const Block4 differ = (table.at[i] ^ down<kStage>(table.at[i])) & clear;
      const Block4 sent = unpack<kStage>(Block4::of_low_halves(from + 32 * i));
      const Block4 half =
          (pad.at[i] & clear) ^ choices.at[i].where_bit(1u << choice, differ ^ sent);
      table.at[i] = table.at[i] ^ half ^ up<kStage>(half);
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
  static Block4 low_entries(int count) {
    constexpr std::uint64_t kAll = ~std::uint64_t{0};
    if (count == 128) return Block4::of_halves(kAll, kAll);
    return Block4::of_halves(0, count == 64 ? kAll : (std::uint64_t{1} << count) - 1);
  }
  static Block4 clear_entries(int stage) {
    const Block4 all = low_entries(1 << kWidth);
    return all ^ (index_bit(stage) & all);
  }

  // Moves entry x + 2^kStage to x, or back, for x with the stage's bit clear.
  template <int kStage>
  static Block4 down(Block4 table) {
    if constexpr (kStage == kDigitBits - 1) return table.halves_swapped();
    if constexpr (kStage < kDigitBits - 1) return table.halves_right(1 << kStage);
  }
  template <int kStage>
  static Block4 up(Block4 table) {
    if constexpr (kStage == kDigitBits - 1) return table.halves_swapped();
    if constexpr (kStage < kDigitBits - 1) return table.halves_left(1 << kStage);
  }

  template <int kStage>
  static Block4 pack(Block4 half) {
    if constexpr (kStage == kWidth - 1) return half;
    const Block4 low = half & low_entries(1 << (kWidth - 1));
    return low ^ up<kStage>(down<kWidth - 1>(half ^ low));
  }
  template <int kStage>
  static Block4 unpack(Block4 packed) {
    if constexpr (kStage == kWidth - 1) return packed;
    const Block4 high = packed & index_bit(kStage);
    return packed ^ high ^ up<kWidth - 1>(down<kStage>(high));
  }
};

template <class Block4>
class WordDigit {
  using P = Pieces<Block4>;

 public:
  static constexpr int kMostWidth = 5;

  explicit WordDigit(int width) : width_(width), all_(low_entries(1 << width)) {}

  Words theta(const Words& c, const Words* own, int shift) const {
    const std::uint32_t all = all_;
    const Words flips = own == nullptr ? Words{} : *own;
    Words out = {};
    for (int bit = 0; bit < width_; ++bit) {
      const std::uint32_t pattern = index_bit(bit);
      const int at = shift + bit;
      for (int q = 0; q < kLanes; ++q) {
        const std::uint32_t x = pattern ^ P::times_bit(flips.at[q] >> at & 1u, all);
        const std::uint32_t less = ~c.at[q] >> at & 1u;
        out.at[q] = (x & out.at[q]) ^ P::times_bit(less, x ^ out.at[q]);
      }
    }
    for (std::uint32_t& lane : out.at) lane &= all;
    return out;
  }

  // The stages have copies of the constants, so that the compiler sees that they never change.
  void correct(int stage, const Words& zero, const Words& one, Words& table,
               std::uint8_t*& corrections) const {
    const std::uint32_t clear = all_ & ~index_bit(stage);
    const std::uint32_t lower = stage == width_ - 1 ? all_ : low_entries(1 << (width_ - 1));
    const int step = 1 << stage;
    const int half_size = 1 << (width_ - 1);
    Words t = table;
    Words wire;
    for (int q = 0; q < kLanes; ++q) {
      const std::uint32_t sent = (t.at[q] ^ t.at[q] >> step ^ zero.at[q] ^ one.at[q]) & clear;
      const std::uint32_t low = sent & lower;
      wire.at[q] = low ^ (sent ^ low) >> half_size << step;
      const std::uint32_t half = zero.at[q] & clear;
      t.at[q] = t.at[q] ^ half ^ half << step;
    }
    table = t;
    Streams<Block4>::store(corrections, wire, half_size);
  }

  void accept(int stage, const Words& pad, const Words& choices, int choice,
              const std::uint8_t*& corrections, Words& table) const {
    const std::uint32_t clear = all_ & ~index_bit(stage);
    const std::uint32_t upper = stage == width_ - 1 ? 0 : index_bit(stage);
    const int step = 1 << stage;
    const int half_size = 1 << (width_ - 1);
    const Words wire = Streams<Block4>::load(corrections, half_size);
    Words t = table;
    for (int q = 0; q < kLanes; ++q) {
      const std::uint32_t high = wire.at[q] & upper;
      const std::uint32_t sent = wire.at[q] ^ high ^ high >> step << half_size;
      const std::uint32_t differ = (t.at[q] ^ t.at[q] >> step) & clear;
      const std::uint32_t chosen = choices.at[q] >> choice & 1u;
      const std::uint32_t half = (pad.at[q] & clear) ^ P::times_bit(chosen, differ ^ sent);
      t.at[q] = t.at[q] ^ half ^ half << step;
    }
    table = t;
  }

 private:
  static std::uint32_t index_bit(int bit) {
    constexpr std::uint32_t kBits[kMostWidth] = {0xaaaaaaaa, 0xcccccccc, 0xf0f0f0f0, 0xff00ff00,
                                                 0xffff0000};
    return kBits[bit];
  }
  static std::uint32_t low_entries(int count) {
    return static_cast<std::uint32_t>((std::uint64_t{1} << count) - 1);
  }

  int width_;
  std::uint32_t all_;
};

}  // namespace pi::fss
