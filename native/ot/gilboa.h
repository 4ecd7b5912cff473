// Turns correlated OTs into shares of products: a (at the receiver) times b (at the sender) modulo
// 2^k.
//
// There is one OT for each bit j of a. The receiver chooses with a_j, the sender's correlation is b
// 2^j, so only the low k - j bits of b count and only they are corrected. X_c(j) = the low 32 bits
// of H(zero_label xor c delta), hashed for this purpose alone, at position j. The sender publishes
// tau_j = X_0 + b - X_1 mod 2^(k-j) and keeps -sum 2^j X_0; the receiver has sum 2^j (X_{a_j} +
// a_j tau_j). (Gilboa, CRYPTO 1999, section 4.1, with the correlated OT of Asharov, Lindell,
// Schneider and Zohner, CCS 2013, and their shrinking widths.)
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"

namespace pi {

// Returns the words of corrections of a group of 32 products: for each bit j, 32 values of
// bit_count - j bits, packed.
constexpr std::size_t correction_words(std::size_t bit_count) {
  return bit_count * (bit_count + 1) / 2;
}

// Labels: [bit_count][group_count][32][16]; factors and shares: uint32 [group_count][32];
// corrections: uint32 [group_count][correction_words]. 1 <= bit_count <= 32 is k; the shares add up
// to the product modulo 2^k. Use each (hash_seed, number, group) once; `number` is below 2^24.
void product_send(Isa isa, const std::uint8_t* delta, const std::uint8_t* hash_seed,
                  std::uint32_t number, std::uint32_t first_group, std::size_t group_count,
                  std::size_t bit_count, const std::uint8_t* zero_labels,
                  const std::uint32_t* factor, std::uint32_t* corrections, std::uint32_t* share,
                  int threads);

void product_receive(Isa isa, const std::uint8_t* hash_seed, std::uint32_t number,
                     std::uint32_t first_group, std::size_t group_count, std::size_t bit_count,
                     const std::uint8_t* active_labels, const std::uint32_t* factor,
                     const std::uint32_t* corrections, std::uint32_t* share, int threads);

}  // namespace pi
