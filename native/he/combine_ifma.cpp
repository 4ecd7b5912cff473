// Products of transformed polynomials on AVX-512 IFMA: sums of 52-bit halves in registers.
#include "he/ifma_vector.h"

namespace pi::he {
namespace {

// low + 2^52 high modulo p, brought below p.
struct Reduction {
  explicit Reduction(const PrimeRing& ring)
      : m(modulus_of(ring)),
        one(root_of(ring.one)),
        two52(root_of(ring.two52)),
        two104(root_of(ring.two104)),
        mask(splat(kMask52)),
        p4(splat(4 * ring.p)) {}

  // In three 52-bit limbs, each brought below 2p.
  Vector of(Vector low, Vector high) const {
    high = _mm512_add_epi64(high, _mm512_srli_epi64(low, 52));
    Vector total = multiply_lazy_512(_mm512_and_si512(low, mask), one, m);
    total = _mm512_add_epi64(total, multiply_lazy_512(_mm512_and_si512(high, mask), two52, m));
    total = _mm512_add_epi64(total, multiply_lazy_512(_mm512_srli_epi64(high, 52), two104, m));
    return subtract_once_512(subtract_once_512(subtract_once_512(total, p4), m.p2), m.p);
  }

  // Of one product of values below p: its high half needs no carry.
  Vector of_product(Vector low, Vector high) const {
    const Vector total =
        _mm512_add_epi64(multiply_lazy_512(low, one, m), multiply_lazy_512(high, two52, m));
    return subtract_once_512(subtract_once_512(total, m.p2), m.p);
  }

  Modulus m;
  Root one, two52, two104;
  Vector mask, p4;
};

// A sum of products in two halves of 52 bits each.
struct Sum {
  Vector low = _mm512_setzero_si512(), high = _mm512_setzero_si512();

  void add(Vector a, Vector b) {
    low = _mm512_madd52lo_epu64(low, a, b);
    high = _mm512_madd52hi_epu64(high, a, b);
  }
};

// All sums of a block stay in registers while its inputs and weights stream by.
template <std::size_t kOutputs, bool kRuns>
void combine_outputs(const PrimeRing& ring, const Combination& c) {
  const Reduction reduction(ring);
  for (std::size_t block = 0; block < c.blocks; ++block) {
    const std::uint64_t* inputs = c.inputs + block * c.input_count * 2 * kLanes;
    const std::size_t place = kRuns ? block / c.run_blocks : block * kLanes;
    const std::uint64_t* weights = c.weights + place * c.input_count;
    const Vector key0 = load(c.key + block * 2 * kLanes);
    const Vector key1 = load(c.key + block * 2 * kLanes + kLanes);
    Sum sums[kOutputs][2];
    for (std::size_t o = 0; o < kOutputs; ++o) {
      const Vector blind = load(c.blinds + o * kDegree + block * kLanes);
      sums[o][0].add(blind, key0);
      sums[o][1].add(blind, key1);
    }
    for (std::size_t i = 0; i < c.input_count;
         ++i, inputs += 2 * kLanes, weights += kRuns ? 1 : kLanes) {
      const Vector first = load(inputs), second = load(inputs + kLanes);
      for (std::size_t o = 0; o < kOutputs; ++o) {
        const std::uint64_t* const at = weights + o * c.weight_stride;
        const Vector weight = kRuns ? splat(*at) : load(at);
        sums[o][0].add(weight, first);
        sums[o][1].add(weight, second);
      }
    }
    for (std::size_t o = 0; o < kOutputs; ++o) {
      std::uint64_t* const out = c.out + o * c.out_stride + block * kLanes;
      store(out, reduction.of(sums[o][0].low, sums[o][0].high));
      store(out + c.component_stride, reduction.of(sums[o][1].low, sums[o][1].high));
    }
  }
}

template <bool kRuns>
void combine_any(const PrimeRing& ring, const Combination& c) {
  static_assert(kMaxOutputs == 4);
  switch (c.output_count) {
    case 1:
      return combine_outputs<1, kRuns>(ring, c);
    case 2:
      return combine_outputs<2, kRuns>(ring, c);
    case 3:
      return combine_outputs<3, kRuns>(ring, c);
    default:
      return combine_outputs<4, kRuns>(ring, c);
  }
}

}  // namespace

void multiply_ifma(const PrimeRing& ring, std::uint64_t* x, const std::uint64_t* y) {
  const Reduction reduction(ring);
  const Vector zero = _mm512_setzero_si512();
  for (std::size_t i = 0; i < kDegree; i += kLanes) {
    const Vector a = load(x + i), b = load(y + i);
    store(x + i, reduction.of_product(_mm512_madd52lo_epu64(zero, a, b),
                                      _mm512_madd52hi_epu64(zero, a, b)));
  }
}

void combine_ifma(const PrimeRing& ring, const Combination& c) {
  c.run_blocks > 1 ? combine_any<true>(ring, c) : combine_any<false>(ring, c);
}

}  // namespace pi::he
