// Packs residues as 50 bits each, little-bit-first: the wire form of polynomials.
#pragma once
#include <cstddef>
#include <cstdint>

#include "he/ring.h"

namespace pi::he {

constexpr std::size_t packed_bytes(std::size_t count) { return (count * kPrimeBits + 7) / 8; }

inline constexpr std::size_t kPackedPolyBytes = packed_bytes(kDegree);

// Packs values, each below 2^50. The last byte is filled with zeros.
void pack(const std::uint64_t* values, std::size_t count, std::uint8_t* out);

// Unpacks values; returns false if one is not below p or a bit of the filling is not zero.
bool unpack(const std::uint8_t* in, std::size_t count, std::uint64_t p, std::uint64_t* values);

}  // namespace pi::he
