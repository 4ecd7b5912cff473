// Portable kernels: 64-bit words, 128-bit products.
#include "he/transform.h"

namespace pi::he {
namespace {

void forward(const PrimeRing& ring, std::uint64_t* poly) {
  const std::uint64_t p = ring.p;
  const RootTable& roots = ring.forward;
  for (std::size_t blocks = 1, half = kDegree / 2; blocks < kDegree; blocks *= 2, half /= 2) {
    for (std::size_t block = 0; block < blocks; ++block) {
      const Factor root = {roots.value[blocks + block], roots.quotient64[blocks + block]};
      std::uint64_t* low = poly + 2 * half * block;
      std::uint64_t* high = low + half;
      for (std::size_t i = 0; i < half; ++i) {
        const std::uint64_t a = subtract_once(low[i], 2 * p);
        const std::uint64_t b = multiply_lazy(high[i], root, p);
        low[i] = a + b;
        high[i] = a + 2 * p - b;
      }
    }
  }
  for (std::size_t i = 0; i < kDegree; ++i)
    poly[i] = subtract_once(subtract_once(poly[i], 2 * p), p);
}

void inverse(const PrimeRing& ring, std::uint64_t* poly) {
  const std::uint64_t p = ring.p;
  const RootTable& roots = ring.inverse;
  for (std::size_t blocks = kDegree / 2, half = 1; blocks != 0; blocks /= 2, half *= 2) {
    for (std::size_t block = 0; block < blocks; ++block) {
      const Factor root = {roots.value[blocks + block], roots.quotient64[blocks + block]};
      std::uint64_t* low = poly + 2 * half * block;
      std::uint64_t* high = low + half;
      for (std::size_t i = 0; i < half; ++i) {
        const std::uint64_t a = low[i];
        const std::uint64_t b = high[i];
        low[i] = subtract_once(a + b, 2 * p);
        high[i] = multiply_lazy(a + 2 * p - b, root, p);
      }
    }
  }
  for (std::size_t i = 0; i < kDegree; ++i) poly[i] = multiply(poly[i], ring.inverse_degree, p);
}

// sum: N low words, then N high words.
void multiply_add(std::uint64_t* sum, const std::uint64_t* x, std::size_t x_stride,
                  const std::uint64_t* y, std::size_t y_stride, std::size_t count) {
  for (std::size_t i = 0; i < kDegree; ++i) {
    u128 total = (static_cast<u128>(sum[kDegree + i]) << 64) | sum[i];
    for (std::size_t k = 0; k < count; ++k)
      total += static_cast<u128>(x[k * x_stride + i]) * y[k * y_stride + i];
    sum[i] = static_cast<std::uint64_t>(total);
    sum[kDegree + i] = static_cast<std::uint64_t>(total >> 64);
  }
}

void multiply_add_pair(std::uint64_t* sum, const std::uint64_t* x, std::size_t x_stride,
                       const std::uint64_t* y, std::size_t y_stride, std::size_t component_stride,
                       std::size_t count) {
  multiply_add(sum, x, x_stride, y, y_stride, count);
  multiply_add(sum + 2 * kDegree, x, x_stride, y + component_stride, y_stride, count);
}

void reduce(const PrimeRing& ring, const std::uint64_t* sum, std::uint64_t* out) {
  const std::uint64_t p = ring.p;
  for (std::size_t i = 0; i < kDegree; ++i) {
    out[i] = add_mod(multiply(sum[i], ring.one, p), multiply(sum[kDegree + i], ring.two64, p), p);
  }
}

}  // namespace

const TransformKernels kScalarTransform = {forward, inverse, multiply_add, multiply_add_pair,
                                           reduce};

const TransformKernels& transform_kernels([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kVaes512) return kIfmaTransform;
#endif
  return kScalarTransform;
}

}  // namespace pi::he
