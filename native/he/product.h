// Multiplies two ring elements where speed does not matter.
#pragma once
#include <cstdint>

#include "he/transform.h"
#include "he/wiped_buffer.h"

namespace pi::he {

// Computes poly := poly * factor in the negacyclic ring, where poly is in coefficient form, below
// p, and factor is transformed.
inline void multiply_in_place(const TransformKernels& kernels, const PrimeRing& ring,
                              const std::uint64_t* factor, std::uint64_t* poly) {
  forward_in_place(kernels, ring, poly);
  kernels.multiply(ring, poly, factor);
  kernels.inverse(ring, poly);
}

// Computes out = x * y, all in coefficient form, N residues below p.
inline void negacyclic_product(Isa isa, const PrimeRing& ring, const std::uint64_t* x,
                               const std::uint64_t* y, std::uint64_t* out) {
  const TransformKernels& kernels = transform_kernels(isa);
  WipedBuffer<std::uint64_t> factor(kDegree);
  for (std::size_t i = 0; i < kDegree; ++i) {
    factor[i] = y[i];
    out[i] = x[i];
  }
  forward_in_place(kernels, ring, factor.data());
  multiply_in_place(kernels, ring, factor.data(), out);
}

}  // namespace pi::he
