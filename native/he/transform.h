// The negacyclic number-theoretic transform and products of transformed polynomials, one table of
// kernels an instruction set. The order of transformed coefficients is a kernel's own business, so
// transformed polynomials must stay with the kernels that made them; nothing of them is ever sent.
//
// Harvey, "Faster arithmetic for number-theoretic transforms" (2014): butterflies on values below
// 4p with one constant quotient a root, reduced once at the end.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "he/ring.h"

namespace pi::he {

// Products that may be added before reduce(): the 52-bit kernel's accumulators hold no more.
inline constexpr std::size_t kMaxProducts = 4096;

struct TransformKernels {
  // In place; in: below 4p, out: below p.
  void (*forward)(const PrimeRing& ring, std::uint64_t* poly);
  // In place; in and out below p. Divides by N.
  void (*inverse)(const PrimeRing& ring, std::uint64_t* poly);
  // sum (2 * N words of the kernel's own form, zero at first) += sum over i < count of the products
  // x[i * x_stride ..] * y[i * y_stride ..] of transformed polynomials below p.
  void (*multiply_add)(std::uint64_t* sum, const std::uint64_t* x, std::size_t x_stride,
                       const std::uint64_t* y, std::size_t y_stride, std::size_t count);
  // The same for both components of ciphertexts, `component_stride` words apart in y and 2 * N in
  // sum: every word of x is read once.
  void (*multiply_add_pair)(std::uint64_t* sum, const std::uint64_t* x, std::size_t x_stride,
                            const std::uint64_t* y, std::size_t y_stride,
                            std::size_t component_stride, std::size_t count);
  // out = sum modulo p, below p, N words.
  void (*reduce)(const PrimeRing& ring, const std::uint64_t* sum, std::uint64_t* out);
};

extern const TransformKernels kScalarTransform;
extern const TransformKernels kIfmaTransform;

const TransformKernels& transform_kernels(Isa isa);

}  // namespace pi::he
