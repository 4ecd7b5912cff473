#include "symmetric/bitsliced_aes.h"

#include <bit>
#include <cstring>

#include "symmetric/sbox.h"

static_assert(std::endian::native == std::endian::little, "words are read little-endian");

namespace pi {
namespace {

constexpr int kColumns = 4;
constexpr std::size_t kStateBytes = std::size_t{kLanes} * kBlockBytes;

// A bit of the four rows of a column: a word holds 8 blocks, a byte per row; four words, 32 blocks.
using Column = std::uint32_t __attribute__((vector_size(16)));

// Bit b of byte (row r, column c) of block 8 w + i is bit 8 r + i of word w of plane[b][c].
struct State {
  Column plane[8][kColumns];
};

// Swaps the bits mask << shift of a with the bits mask of b.
void swap_bits(Column& a, Column& b, int shift, std::uint32_t mask) {
  const Column t = ((a >> shift) ^ b) & mask;
  b ^= t;
  a ^= t << shift;
}

// Bit b of every byte of rows[i] and bit i of the same byte of rows[b] change places.
void transpose_bits(Column (&rows)[8]) {
  for (int i = 0; i < 4; ++i) swap_bits(rows[i], rows[i + 4], 4, 0x0f0f0f0f);
  for (int i = 0; i < 8; i += i % 4 == 1 ? 3 : 1) swap_bits(rows[i], rows[i + 2], 2, 0x33333333);
  for (int i = 0; i < 8; i += 2) swap_bits(rows[i], rows[i + 1], 1, 0x55555555);
}

// Word w of x[c] and word c of x[w] change places.
void transpose_words(Column (&x)[4]) {
  const Column a = x[0];
  const Column b = x[1];
  const Column c = x[2];
  const Column d = x[3];
  for (int i = 0; i < 4; ++i) x[i] = Column{a[i], b[i], c[i], d[i]};
}

State slice(const std::uint8_t* blocks) {
  State out;
  for (int part = 0; part < kColumns; ++part) {
    Column rows[8];
    std::memcpy(rows, blocks + sizeof rows * static_cast<std::size_t>(part), sizeof rows);
    transpose_bits(rows);
    for (int b = 0; b < 8; ++b) out.plane[b][part] = rows[b];
  }
  for (auto& plane : out.plane) transpose_words(plane);
  return out;
}

void unslice(State state, std::uint8_t* blocks) {
  for (auto& plane : state.plane) transpose_words(plane);
  for (int part = 0; part < kColumns; ++part) {
    Column rows[8];
    for (int b = 0; b < 8; ++b) rows[b] = state.plane[b][part];
    transpose_bits(rows);
    std::memcpy(blocks + sizeof rows * static_cast<std::size_t>(part), rows, sizeof rows);
  }
}

void substitute(State& state) {
  for (int c = 0; c < kColumns; ++c) {
    Column x[8];
    for (int b = 0; b < 8; ++b) x[b] = state.plane[b][c];
    sub_bytes(x);
    for (int b = 0; b < 8; ++b) state.plane[b][c] = x[b];
  }
}

void add_key(State& state, const std::uint8_t* key) {
  for (int c = 0; c < kColumns; ++c) {
    std::uint32_t word;
    std::memcpy(&word, key + 4 * c, sizeof word);
    for (int b = 0; b < 8; ++b) state.plane[b][c] ^= ((word >> b) & 0x01010101u) * 0xffu;
  }
}

// Row r moves left by r columns.
void shift_rows(State& state) {
  for (auto& plane : state.plane) {
    Column out[kColumns];
    for (int c = 0; c < kColumns; ++c) {
      out[c] = (plane[c] & 0x000000ffu) | (plane[(c + 1) % 4] & 0x0000ff00u) |
               (plane[(c + 2) % 4] & 0x00ff0000u) | (plane[(c + 3) % 4] & 0xff000000u);
    }
    for (int c = 0; c < kColumns; ++c) plane[c] = out[c];
  }
}

// Moves row r + 1 to row r.
Column rotate_rows(Column x) { return (x >> 8) | (x << 24); }

// Row r becomes 2 (a_r + a_r+1) + a_r+1 + a_r+2 + a_r+3.
void mix_columns(State& state) {
  for (int c = 0; c < kColumns; ++c) {
    Column sum[8];   // a_r + a_r+1
    Column rest[8];  // a_r+1 + a_r+2 + a_r+3
    for (int b = 0; b < 8; ++b) {
      const Column next = rotate_rows(state.plane[b][c]);
      sum[b] = state.plane[b][c] ^ next;
      rest[b] = next ^ ((sum[b] >> 16) | (sum[b] << 16));
    }
    for (int b = 0; b < 8; ++b) {
      Column twice = sum[(b + 7) % 8];
      if (b == 1 || b == 3 || b == 4) twice ^= sum[7];  // x^8 = x^4 + x^3 + x + 1
      state.plane[b][c] = twice ^ rest[b];
    }
  }
}

}  // namespace

void bitsliced_encrypt(std::uint8_t* blocks, const RoundKeys& keys) {
  State state = slice(blocks);
  add_key(state, keys.at[0]);
  for (int round = 1; round <= 10; ++round) {
    substitute(state);
    shift_rows(state);
    if (round < 10) mix_columns(state);
    add_key(state, keys.at[round]);
  }
  unslice(state, blocks);
}

void bitsliced_expand(const std::uint8_t* keys, std::size_t count, RoundKeys* out) {
  constexpr std::size_t kBatch = kStateBytes / 4;  // keys whose last words fill a state
  std::uint8_t words[kStateBytes] = {};
  for (std::size_t first = 0; first < count; first += kBatch) {
    const std::size_t batch = count - first < kBatch ? count - first : kBatch;
    for (std::size_t i = 0; i < batch; ++i) {
      std::memcpy(out[first + i].at[0], keys + kBlockBytes * (first + i), kBlockBytes);
    }
    for (int round = 0; round < 10; ++round) {
      for (std::size_t i = 0; i < batch; ++i) {
        std::memcpy(words + 4 * i, out[first + i].at[round] + 12, 4);
      }
      State state = slice(words);
      substitute(state);
      unslice(state, words);
      for (std::size_t i = 0; i < batch; ++i) {
        const std::uint8_t* before = out[first + i].at[round];
        std::uint8_t* after = out[first + i].at[round + 1];
        for (int r = 0; r < 4; ++r) {
          const int substituted = words[4 * i + static_cast<std::size_t>((r + 1) % 4)];
          const int constant = r == 0 ? kRoundConstants[round] : 0;
          after[r] = static_cast<std::uint8_t>(before[r] ^ substituted ^ constant);
        }
        for (int k = 4; k < kBlockBytes; ++k) {
          after[k] = static_cast<std::uint8_t>(before[k] ^ after[k - 4]);
        }
      }
    }
  }
  explicit_bzero(words, sizeof words);
}

}  // namespace pi
