// Portable kernels: 64-bit words, 128-bit products.
#include "he/transform.h"

namespace pi::he {
namespace {

// The first layers of the transform, on every (N / count)-th coefficient.
void forward_layers(const PrimeRing& ring, std::uint64_t* poly, std::size_t count) {
  const std::uint64_t p = ring.p;
  const RootTable& roots = ring.forward;
  for (std::size_t blocks = 1, half = count / 2; blocks < count; blocks *= 2, half /= 2) {
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
}

void forward(const PrimeRing& ring, std::uint64_t* poly, std::uint64_t* out, std::size_t stride) {
  const std::uint64_t p = ring.p;
  forward_layers(ring, poly, kDegree);
  for (std::size_t i = 0; i < kDegree; ++i) {
    out[i / kLanes * stride + i % kLanes] = subtract_once(subtract_once(poly[i], 2 * p), p);
  }
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
  for (std::size_t i = 0; i < kDegree; ++i)
    poly[i] = pi::he::multiply(poly[i], ring.inverse_degree, p);
}

std::uint64_t reduce(const PrimeRing& ring, u128 total) {
  const auto low = static_cast<std::uint64_t>(total),
             high = static_cast<std::uint64_t>(total >> 64);
  return add_mod(pi::he::multiply(low, ring.one, ring.p),
                 pi::he::multiply(high, ring.two64, ring.p), ring.p);
}

void multiply(const PrimeRing& ring, std::uint64_t* x, const std::uint64_t* y) {
  for (std::size_t i = 0; i < kDegree; ++i) x[i] = reduce(ring, static_cast<u128>(x[i]) * y[i]);
}

void combine(const PrimeRing& ring, const Combination& c) {
  const bool runs = c.run_blocks > 1;
  for (std::size_t block = 0; block < c.blocks; ++block) {
    const std::uint64_t* const inputs = c.inputs + block * c.input_count * 2 * kLanes;
    const std::uint64_t* const key = c.key + block * 2 * kLanes;
    for (std::size_t output = 0; output < c.output_count; ++output) {
      const std::uint64_t* const weights =
          c.weights + output * c.weight_stride +
          (runs ? block / c.run_blocks * c.input_count : block * c.input_count * kLanes);
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const std::uint64_t blind = c.blinds[output * kDegree + block * kLanes + lane];
        for (std::size_t component = 0; component < 2; ++component) {
          u128 total = static_cast<u128>(blind) * key[component * kLanes + lane];
          for (std::size_t i = 0; i < c.input_count; ++i) {
            total += static_cast<u128>(weights[runs ? i : i * kLanes + lane]) *
                     inputs[(2 * i + component) * kLanes + lane];
          }
          std::uint64_t* const out = c.out + output * c.out_stride + component * c.component_stride;
          out[block * kLanes + lane] = reduce(ring, total);
        }
      }
    }
  }
}

}  // namespace

void forward_runs(const PrimeRing& ring, std::uint64_t* values, std::size_t count) {
  forward_layers(ring, values, count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = subtract_once(subtract_once(values[i], 2 * ring.p), ring.p);
}

const TransformKernels kScalarTransform = {forward, inverse, multiply, combine};

const TransformKernels& transform_kernels([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kVaes512) return kIfmaTransform;
#endif
  return kScalarTransform;
}

}  // namespace pi::he
