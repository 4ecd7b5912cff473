// Declares the automorphisms X -> X^(N / 2^j + 1) of the ring, in both forms of a polynomial.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "he/transform.h"

namespace pi::he {

// The automorphisms that have tables: j = 0 to kAutomorphisms - 1.
inline constexpr std::size_t kAutomorphisms = 6;

// Applies automorphism j to a polynomial in coefficient form, below its prime. poly: the polynomial
// and then its negative, 2 N words.
void apply_automorphism(std::size_t j, const std::uint64_t* poly, std::uint64_t* out);

// The automorphisms that copy an input (copies.h): X -> X^(copy_power(i)), i = 1 to kCopyKeys.
inline constexpr std::size_t kCopyOrder = 32;
inline constexpr std::size_t kCopyKeys = 7;

constexpr std::size_t copy_power(std::size_t i) { return 1 + 2 * kDegree / kCopyOrder * i; }

// Holds the tables of transformed polynomials. Each table of kernels has its own, because each has
// its own order of coefficients.
struct AutomorphismTables {
  // The transformed automorphism j moves coefficient index[j][i] to i.
  std::uint16_t index[kAutomorphisms][kDegree];
  // X^(2^j), transformed modulo the first two primes.
  std::uint64_t monomial[kAutomorphisms][2][kDegree];
  // The transformed automorphism of copy i moves coefficient copy_index[i - 1][j] to j.
  std::uint16_t copy_index[kCopyKeys][kDegree];
};

const AutomorphismTables& automorphism_tables(Isa isa);

}  // namespace pi::he
