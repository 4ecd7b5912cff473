// Runs AES-128 without AES instructions, tables or branches, on 32 blocks at a time as planes of
// bits. It is plain C++ with vectors of the compiler, for processors without AES-NI.
#pragma once
#include <cstddef>
#include <cstdint>

#include "symmetric/round_keys.h"

namespace pi {

// Encrypts 32 blocks of 16 bytes in place, under one key.
void bitsliced_encrypt(std::uint8_t* blocks, const RoundKeys& keys);

// Expands `count` keys of 16 bytes each.
void bitsliced_expand(const std::uint8_t* keys, std::size_t count, RoundKeys* out);

}  // namespace pi
