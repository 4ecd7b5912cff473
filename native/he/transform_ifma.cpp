// AVX-512 IFMA kernels: 52-bit products, eight coefficients a vector. Transformed polynomials are
// transposed within every 64 coefficients, so that the last three layers pair whole vectors.
//
// No function of another header may be instantiated here: the linker could keep this copy for
// processors that lack the instructions.
#include <immintrin.h>

#include "he/transform.h"

namespace pi::he {
namespace {

using Vector = __m512i;

constexpr std::uint64_t kMask52 = (std::uint64_t{1} << 52) - 1;
constexpr std::size_t kBlock = 64;

struct Modulus {
  Vector p, p2, negative;  // negative: -p modulo 2^52
};

struct Root {
  Vector value, quotient;
};

Vector splat(std::uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
Modulus modulus_of(const PrimeRing& ring) {
  return {splat(ring.p), splat(2 * ring.p), splat(kMask52 + 1 - ring.p)};
}
Root root_of(const Factor& factor) { return {splat(factor.value), splat(factor.quotient >> 12)}; }
Vector load(const std::uint64_t* from) { return _mm512_loadu_si512(from); }
void store(std::uint64_t* to, Vector x) { _mm512_storeu_si512(to, x); }
Vector subtract_once_512(Vector x, Vector bound) {
  return _mm512_min_epu64(x, _mm512_sub_epi64(x, bound));
}

// x * root modulo p, below 2p, for x below 2^52.
Vector multiply_lazy_512(Vector x, const Root& root, const Modulus& m) {
  const Vector zero = _mm512_setzero_si512();
  const Vector quotient = _mm512_madd52hi_epu64(zero, x, root.quotient);
  const Vector low = _mm512_madd52lo_epu64(zero, x, root.value);
  return _mm512_and_si512(_mm512_madd52lo_epu64(low, quotient, m.negative), splat(kMask52));
}

void butterfly(Vector& a, Vector& b, const Root& root, const Modulus& m) {
  const Vector x = subtract_once_512(a, m.p2);
  const Vector y = multiply_lazy_512(b, root, m);
  a = _mm512_add_epi64(x, y);
  b = _mm512_add_epi64(x, _mm512_sub_epi64(m.p2, y));
}

void inverse_butterfly(Vector& a, Vector& b, const Root& root, const Modulus& m) {
  const Vector difference = _mm512_add_epi64(_mm512_sub_epi64(a, b), m.p2);
  a = subtract_once_512(_mm512_add_epi64(a, b), m.p2);
  b = multiply_lazy_512(difference, root, m);
}

void transpose(Vector* r) {
  Vector pairs[8];
  for (int i = 0; i < 4; ++i) {
    pairs[2 * i] = _mm512_unpacklo_epi64(r[2 * i], r[2 * i + 1]);
    pairs[2 * i + 1] = _mm512_unpackhi_epi64(r[2 * i], r[2 * i + 1]);
  }
  Vector quads[8];
  for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 2; ++j) {
      quads[i + j] = _mm512_shuffle_i64x2(pairs[i + j], pairs[i + j + 2], 0x88);
      quads[i + j + 2] = _mm512_shuffle_i64x2(pairs[i + j], pairs[i + j + 2], 0xdd);
    }
  }
  for (int j = 0; j < 4; ++j) {
    r[j] = _mm512_shuffle_i64x2(quads[j], quads[4 + j], 0x88);
    r[j + 4] = _mm512_shuffle_i64x2(quads[j], quads[4 + j], 0xdd);
  }
}

struct Roots {
  explicit Roots(const RootTable& table)
      : value(table.value),
        quotient(table.quotient52),
        tail_value(table.tail_value),
        tail_quotient(table.tail_quotient52) {}

  Root all_lanes(std::size_t i) const { return {splat(value[i]), splat(quotient[i])}; }
  Root tail(std::size_t block, std::size_t vector) const {
    const std::size_t at = block * 56 + vector * kLanes;
    return {load(tail_value + at), load(tail_quotient + at)};
  }

  const std::uint64_t *value, *quotient, *tail_value, *tail_quotient;
};

// The transform's first four layers run over the whole polynomial; the others over one section
// after another, which stays in the first-level cache.
constexpr std::size_t kSections = 16;
constexpr std::size_t kSectionSize = kDegree / kSections;

// The roots of two layers: of block `block` of the layer with `blocks` blocks, and of its halves.
struct Pair {
  Pair(const Roots& roots, std::size_t blocks, std::size_t block)
      : first(roots.all_lanes(blocks + block)),
        second(roots.all_lanes(2 * (blocks + block))),
        third(roots.all_lanes(2 * (blocks + block) + 1)) {}

  void forward(Vector* x, const Modulus& m) const {
    butterfly(x[0], x[2], first, m);
    butterfly(x[1], x[3], first, m);
    butterfly(x[0], x[1], second, m);
    butterfly(x[2], x[3], third, m);
  }
  void inverse(Vector* x, const Modulus& m) const {
    inverse_butterfly(x[0], x[1], second, m);
    inverse_butterfly(x[2], x[3], third, m);
    inverse_butterfly(x[0], x[2], first, m);
    inverse_butterfly(x[1], x[3], first, m);
  }

  Root first, second, third;
};

// body(x) on the four quarters of a block, a vector of each at a time.
template <class Body>
void for_quarters(std::uint64_t* at, std::size_t quarter, const Body& body) {
  for (std::size_t i = 0; i < quarter; i += kLanes, at += kLanes) {
    Vector x[4];
    for (std::size_t j = 0; j < 4; ++j) x[j] = load(at + j * quarter);
    body(x);
    for (std::size_t j = 0; j < 4; ++j) store(at + j * quarter, x[j]);
  }
}

// The last five layers of 64 coefficients, in registers.
void forward_block(const Roots& roots, const Modulus& m, std::size_t block, Vector* r) {
  Pair(roots, kDegree / 32, 2 * block).forward(r, m);
  Pair(roots, kDegree / 32, 2 * block + 1).forward(r + 4, m);
  transpose(r);
  for (std::size_t i = 0; i < 4; ++i) butterfly(r[i], r[i + 4], roots.tail(block, 0), m);
  for (std::size_t i = 0; i < 2; ++i) {
    const Root root = roots.tail(block, 1 + i);
    butterfly(r[4 * i], r[4 * i + 2], root, m);
    butterfly(r[4 * i + 1], r[4 * i + 3], root, m);
  }
  for (std::size_t i = 0; i < 4; ++i)
    butterfly(r[2 * i], r[2 * i + 1], roots.tail(block, 3 + i), m);
}

void inverse_block(const Roots& roots, const Modulus& m, std::size_t block, Vector* r) {
  for (std::size_t i = 0; i < 4; ++i)
    inverse_butterfly(r[2 * i], r[2 * i + 1], roots.tail(block, 3 + i), m);
  for (std::size_t i = 0; i < 2; ++i) {
    const Root root = roots.tail(block, 1 + i);
    inverse_butterfly(r[4 * i], r[4 * i + 2], root, m);
    inverse_butterfly(r[4 * i + 1], r[4 * i + 3], root, m);
  }
  for (std::size_t i = 0; i < 4; ++i) inverse_butterfly(r[i], r[i + 4], roots.tail(block, 0), m);
  transpose(r);
  Pair(roots, kDegree / 32, 2 * block).inverse(r, m);
  Pair(roots, kDegree / 32, 2 * block + 1).inverse(r + 4, m);
}

void forward(const PrimeRing& ring, std::uint64_t* poly, std::uint64_t* out, std::size_t stride) {
  const Modulus m = modulus_of(ring);
  const Roots roots(ring.forward);
  for (std::size_t blocks = 1, quarter = kDegree / 4; blocks < kSections;
       blocks *= 4, quarter /= 4) {
    for (std::size_t block = 0; block < blocks; ++block) {
      const Pair pair(roots, blocks, block);
      for_quarters(poly + 4 * quarter * block, quarter, [&](Vector* x) { pair.forward(x, m); });
    }
  }
  for (std::size_t section = 0; section < kSections; ++section) {
    for (std::size_t blocks = kSections, quarter = kSectionSize / 4; 4 * quarter > kBlock;
         blocks *= 4, quarter /= 4) {
      const std::size_t first = section * blocks / kSections;
      for (std::size_t block = first; block < first + blocks / kSections; ++block) {
        const Pair pair(roots, blocks, block);
        for_quarters(poly + 4 * quarter * block, quarter, [&](Vector* x) { pair.forward(x, m); });
      }
    }
    const std::size_t first = section * kSectionSize / kBlock;
    for (std::size_t block = first; block < first + kSectionSize / kBlock; ++block) {
      Vector r[8];
      for (std::size_t i = 0; i < 8; ++i) r[i] = load(poly + block * kBlock + i * kLanes);
      forward_block(roots, m, block, r);
      for (std::size_t i = 0; i < 8; ++i) {
        store(out + (8 * block + i) * stride,
              subtract_once_512(subtract_once_512(r[i], m.p2), m.p));
      }
    }
  }
}

void inverse(const PrimeRing& ring, std::uint64_t* poly) {
  const Modulus m = modulus_of(ring);
  const Roots roots(ring.inverse);
  for (std::size_t section = 0; section < kSections; ++section) {
    const std::size_t first_block = section * kSectionSize / kBlock;
    for (std::size_t block = first_block; block < first_block + kSectionSize / kBlock; ++block) {
      std::uint64_t* const at = poly + block * kBlock;
      Vector r[8];
      for (std::size_t i = 0; i < 8; ++i) r[i] = load(at + i * kLanes);
      inverse_block(roots, m, block, r);
      for (std::size_t i = 0; i < 8; ++i) store(at + i * kLanes, r[i]);
    }
    for (std::size_t blocks = kDegree / 128, quarter = 32; blocks >= kSections;
         blocks /= 4, quarter *= 4) {
      const std::size_t first = section * blocks / kSections;
      for (std::size_t block = first; block < first + blocks / kSections; ++block) {
        const Pair pair(roots, blocks, block);
        for_quarters(poly + 4 * quarter * block, quarter, [&](Vector* x) { pair.inverse(x, m); });
      }
    }
  }
  for (std::size_t block = 0; block < 4; ++block) {
    const Pair pair(roots, 4, block);
    for_quarters(poly + kDegree / 4 * block, kDegree / 16, [&](Vector* x) { pair.inverse(x, m); });
  }
  const Pair pair(roots, 1, 0);
  const Root scale = root_of(ring.inverse_degree);
  for_quarters(poly, kDegree / 4, [&](Vector* x) {
    pair.inverse(x, m);
    for (std::size_t j = 0; j < 4; ++j) {
      x[j] = subtract_once_512(multiply_lazy_512(x[j], scale, m), m.p);
    }
  });
}

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

  Modulus m;
  Root one, two52, two104;
  Vector mask, p4;
};

void multiply(const PrimeRing& ring, std::uint64_t* x, const std::uint64_t* y) {
  const Reduction reduction(ring);
  const Vector zero = _mm512_setzero_si512();
  for (std::size_t i = 0; i < kDegree; i += kLanes) {
    const Vector a = load(x + i), b = load(y + i);
    store(x + i,
          reduction.of(_mm512_madd52lo_epu64(zero, a, b), _mm512_madd52hi_epu64(zero, a, b)));
  }
}

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

void combine(const PrimeRing& ring, const Combination& c) {
  c.run_blocks > 1 ? combine_any<true>(ring, c) : combine_any<false>(ring, c);
}

}  // namespace

const TransformKernels kIfmaTransform = {forward, inverse, multiply, combine};

}  // namespace pi::he
