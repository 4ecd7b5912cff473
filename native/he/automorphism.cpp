#include "he/automorphism.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace pi::he {
namespace {

// Transforms X^exponent modulo prime k.
std::vector<std::uint64_t> transformed_monomial(const TransformKernels& kernels, std::size_t k,
                                                std::size_t exponent) {
  std::vector<std::uint64_t> poly(kDegree);
  poly[exponent] = 1;
  forward_in_place(kernels, prime_ring(k), poly.data());
  return poly;
}

// Returns the odd exponents e such that coefficient i of a transformed polynomial is its value at
// psi^e. The transform of X itself gives the values psi^e.
std::vector<std::size_t> evaluation_exponents(const TransformKernels& kernels) {
  const PrimeRing& ring = prime_ring(0);
  const std::uint64_t psi = ring.forward.value[kDegree / 2];
  std::vector<std::pair<std::uint64_t, std::size_t>> powers;
  std::uint64_t power = 1;
  for (std::size_t e = 0; e < 2 * kDegree; ++e) {
    powers.emplace_back(power, e);
    power = static_cast<std::uint64_t>(static_cast<u128>(power) * psi % ring.p);
  }
  std::sort(powers.begin(), powers.end());
  const std::vector<std::uint64_t> values = transformed_monomial(kernels, 0, 1);
  std::vector<std::size_t> exponents(kDegree);
  for (std::size_t i = 0; i < kDegree; ++i) {
    exponents[i] =
        std::lower_bound(powers.begin(), powers.end(), std::pair{values[i], std::size_t{0}})
            ->second;
  }
  return exponents;
}

std::unique_ptr<const AutomorphismTables> make_tables(const TransformKernels& kernels) {
  auto tables = std::make_unique<AutomorphismTables>();
  const std::vector<std::size_t> exponents = evaluation_exponents(kernels);
  std::vector<std::size_t> place(2 * kDegree);
  for (std::size_t i = 0; i < kDegree; ++i) place[exponents[i]] = i;
  const auto fill = [&](std::size_t power, std::uint16_t* index) {
    for (std::size_t i = 0; i < kDegree; ++i) {
      index[i] = static_cast<std::uint16_t>(place[exponents[i] * power % (2 * kDegree)]);
    }
  };
  for (std::size_t i = 0; i < kCopyKeys; ++i) fill(copy_power(i + 1), tables->copy_index[i]);
  for (std::size_t j = 0; j < kAutomorphisms; ++j) {
    fill((kDegree >> j) + 1, tables->index[j]);
    for (std::size_t k = 0; k < 2; ++k) {
      const auto monomial = transformed_monomial(kernels, k, std::size_t{1} << j);
      std::copy(monomial.begin(), monomial.end(), tables->monomial[j][k]);
    }
  }
  return tables;
}

}  // namespace

// Coefficient i goes to i + (i mod 2^(j+1)) N / 2^j, and is negated once for every N.
void apply_automorphism(std::size_t j, const std::uint64_t* poly, std::uint64_t* out) {
  const std::size_t classes = std::size_t{2} << j, step = kDegree >> j;
  for (std::size_t first = 0; first < kDegree; first += classes) {
    std::size_t to = first;
    for (std::size_t i = first; i < first + classes; ++i, to += step + 1) {
      out[to % kDegree] = poly[i + (to & kDegree)];
    }
  }
}

const AutomorphismTables& automorphism_tables(Isa isa) {
  static const auto scalar = make_tables(kScalarTransform);
  const TransformKernels& kernels = transform_kernels(isa);
  if (&kernels == &kScalarTransform) return *scalar;
  static const auto vector = make_tables(kernels);
  return *vector;
}

}  // namespace pi::he
