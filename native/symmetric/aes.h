// Implements AES-128 and the hash of labels as templates over a Block4 (block_aesni.h,
// block_vaes512.h, block_portable.h).
//
// The hash H(x, j) = AES_{S xor j}(sigma(x)) xor sigma(x) has the tweak in the key. It is tweakable
// circular correlation robust in the ideal-cipher model (docs/threat-model.md states the bound).
#pragma once
#include <cstdint>
#include <cstring>

#include "symmetric/round_keys.h"

namespace pi {

// Says whether a Block4 has no AES rounds; its cipher then takes many blocks at once.
template <class Block4>
concept Bitsliced = requires(Block4* x, const RoundKeys& keys) { Block4::encrypt(x, 1, keys); };

// Expands `count` keys of 16 bytes each, four at a time.
template <class Block4>
void expand_keys(const std::uint8_t* keys, int count, RoundKeys* out) {
  constexpr int kUnroll = Block4::kInFlight / 2;
  alignas(64) std::uint8_t spill[4][kBlockBytes];
  for (int first = 0; first < count; first += 4 * kUnroll) {
    Block4 key[kUnroll];
    for (int i = 0; i < kUnroll; ++i) {
      const int at = first + 4 * i;
      if (at + 4 <= count) {
        key[i] = Block4::load(keys + kBlockBytes * at);
      } else {
        const int left = count > at ? count - at : 0;
        std::memset(spill, 0, sizeof spill);
        std::memcpy(spill, keys + kBlockBytes * at * (left > 0),
                    std::size_t{kBlockBytes} * static_cast<std::size_t>(left));
        key[i] = Block4::load(spill);
      }
    }
    for (int round = 0; round < 11; ++round) {
      for (int i = 0; i < kUnroll; ++i) {
        key[i].store(spill);
        for (int j = 0; j < 4 && first + 4 * i + j < count; ++j) {
          std::memcpy(out[first + 4 * i + j].at[round], spill[j], kBlockBytes);
        }
        if (round < 10) key[i] = key[i].next_round_key(kRoundConstants[round]);
      }
    }
  }
}

template <Bitsliced Block4>
void expand_keys(const std::uint8_t* keys, int count, RoundKeys* out) {
  Block4::expand_keys(keys, count, out);
}

// Computes x[i] = AES(x[i]) with N values in flight.
template <int N, class Block4>
[[gnu::always_inline]] inline void encrypt(Block4* x, const RoundKeys& keys) {
  const Block4 whitening = Block4::broadcast(keys.at[0]);
  for (int i = 0; i < N; ++i) x[i] = x[i] ^ whitening;
  for (int round = 1; round < 10; ++round) {
    for (int i = 0; i < N; ++i) x[i] = x[i].aes_round(keys.at[round]);
  }
  for (int i = 0; i < N; ++i) x[i] = x[i].aes_last_round(keys.at[10]);
}

template <int N, Bitsliced Block4>
void encrypt(Block4* x, const RoundKeys& keys) {
  Block4::encrypt(x, N, keys);
}

// Computes out[i] = H(in[i], j), where `keys` is the schedule of S xor j.
template <int N, class Block4>
[[gnu::always_inline]] inline void hash(const Block4* in, Block4* out, const RoundKeys& keys) {
  Block4 permuted[N];
  for (int i = 0; i < N; ++i) out[i] = permuted[i] = in[i].sigma();
  encrypt<N>(out, keys);
  for (int i = 0; i < N; ++i) out[i] = out[i] ^ permuted[i];
}

}  // namespace pi
