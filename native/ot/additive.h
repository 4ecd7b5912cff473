// Turns correlated OTs into additive shares of choice times correlation modulo 2^32.
//
// X_c = the low 32 bits of H(zero_label xor c delta), hashed for this purpose alone. The sender
// publishes tau = X_0 + correlation - X_1 and keeps beta = -X_0; the receiver's
// alpha = X_choice + choice tau. So alpha + beta = choice correlation, and tau is masked by the pad
// that the receiver does not know. (Asharov, Lindell, Schneider and Zohner, CCS 2013, section 5.4.)
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"

namespace pi {

// Labels: [group_count][32][16]; words: uint32 [group_count][32]; `gadget` is below 2^24. Use each
// (hash_seed, gadget, group) once.
void additive_send(Isa isa, const std::uint8_t* delta, const std::uint8_t* hash_seed,
                   std::uint32_t gadget, std::uint32_t first_group, std::size_t group_count,
                   const std::uint8_t* zero_labels, const std::uint32_t* correlation,
                   std::uint32_t* tau, std::uint32_t* beta, int threads);

// choices: one byte (0 or 1) per element.
void additive_receive(Isa isa, const std::uint8_t* hash_seed, std::uint32_t gadget,
                      std::uint32_t first_group, std::size_t group_count,
                      const std::uint8_t* active_labels, const std::uint8_t* choices,
                      const std::uint32_t* tau, std::uint32_t* alpha, int threads);

}  // namespace pi
