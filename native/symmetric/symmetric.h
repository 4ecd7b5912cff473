// Runs AES-128, an AES-CTR generator and the hash of labels on the instruction set that is asked
// for.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "symmetric/tweak.h"

namespace pi {

// Encrypts `block_count` blocks by AES-128 in ECB mode under `key`; in place is allowed.
void aes128_encrypt(Isa isa, const std::uint8_t* key, const std::uint8_t* in,
                    std::size_t block_count, std::uint8_t* out);

// Writes pseudorandom bytes: block i is AES_seed(first_block + i), with the counter little-endian
// in the low 64 bits; the last block is cut. One (seed, counter) must never serve two purposes.
void prg(Isa isa, const std::uint8_t* seed, std::uint64_t first_block, std::uint8_t* out,
         std::size_t byte_count);

// Computes out[group][lane] = H(labels[group][lane], tweak). Group i uses the tweak with group + i,
// so 32 labels of 16 bytes share a key. `offset` (16 bytes, or nullptr) is xored to every label
// first. In place is allowed.
void hash_labels(Isa isa, const std::uint8_t* seed, const Tweak& tweak, std::size_t group_count,
                 const std::uint8_t* labels, const std::uint8_t* offset, std::uint8_t* out);

// Computes out[lane] = H'(labels[lane], tweak) of 32 labels, the hash of three halves. The gate
// (garble/three_halves.h) computes it in parts, so that tests check here what it is made of.
void hash_for_halves(Isa isa, const std::uint8_t* seed, const Tweak& tweak,
                     const std::uint8_t* labels, std::uint8_t* out);

}  // namespace pi
