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
constexpr std::size_t kLanes = 8;
constexpr std::size_t kBlock = 64;

struct Modulus {
  Vector p, p2;
};

struct Root {
  Vector value, quotient;
};

Vector splat(std::uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
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
  const Vector subtrahend = _mm512_madd52lo_epu64(zero, quotient, m.p);
  return _mm512_and_si512(_mm512_sub_epi64(low, subtrahend), splat(kMask52));
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
  const std::uint64_t *value, *quotient, *tail_value, *tail_quotient;

  Root all_lanes(std::size_t i) const { return {splat(value[i]), splat(quotient[i])}; }
  Root tail(std::size_t block, std::size_t vector) const {
    const std::size_t at = block * 56 + vector * kLanes;
    return {load(tail_value + at), load(tail_quotient + at)};
  }
};

void forward(const PrimeRing& ring, std::uint64_t* poly) {
  const Modulus m = {splat(ring.p), splat(2 * ring.p)};
  const RootTable& table = ring.forward;
  const Roots roots = {table.value, table.quotient52, table.tail_value, table.tail_quotient52};
  // Two layers a pass: blocks = 1, 4, 16, 64, 256.
  for (std::size_t blocks = 1, quarter = kDegree / 4; quarter >= kLanes;
       blocks *= 4, quarter /= 4) {
    for (std::size_t block = 0; block < blocks; ++block) {
      const Root first = roots.all_lanes(blocks + block);
      const Root second = roots.all_lanes(2 * blocks + 2 * block);
      const Root third = roots.all_lanes(2 * blocks + 2 * block + 1);
      std::uint64_t* at = poly + 4 * quarter * block;
      for (std::size_t i = 0; i < quarter; i += kLanes, at += kLanes) {
        Vector a = load(at), b = load(at + quarter), c = load(at + 2 * quarter),
               d = load(at + 3 * quarter);
        butterfly(a, c, first, m);
        butterfly(b, d, first, m);
        butterfly(a, b, second, m);
        butterfly(c, d, third, m);
        store(at, a);
        store(at + quarter, b);
        store(at + 2 * quarter, c);
        store(at + 3 * quarter, d);
      }
    }
  }
  for (std::size_t block = 0; block < kDegree / kBlock; ++block) {
    std::uint64_t* at = poly + block * kBlock;
    Vector r[8];
    for (std::size_t i = 0; i < 8; ++i) r[i] = load(at + i * kLanes);
    transpose(r);
    for (std::size_t i = 0; i < 4; ++i) butterfly(r[i], r[i + 4], roots.tail(block, 0), m);
    for (std::size_t i = 0; i < 2; ++i) {
      const Root root = roots.tail(block, 1 + i);
      butterfly(r[4 * i], r[4 * i + 2], root, m);
      butterfly(r[4 * i + 1], r[4 * i + 3], root, m);
    }
    for (std::size_t i = 0; i < 4; ++i)
      butterfly(r[2 * i], r[2 * i + 1], roots.tail(block, 3 + i), m);
    for (std::size_t i = 0; i < 8; ++i) {
      store(at + i * kLanes, subtract_once_512(subtract_once_512(r[i], m.p2), m.p));
    }
  }
}

void inverse(const PrimeRing& ring, std::uint64_t* poly) {
  const Modulus m = {splat(ring.p), splat(2 * ring.p)};
  const RootTable& table = ring.inverse;
  const Roots roots = {table.value, table.quotient52, table.tail_value, table.tail_quotient52};
  for (std::size_t block = 0; block < kDegree / kBlock; ++block) {
    std::uint64_t* at = poly + block * kBlock;
    Vector r[8];
    for (std::size_t i = 0; i < 8; ++i) r[i] = load(at + i * kLanes);
    for (std::size_t i = 0; i < 4; ++i)
      inverse_butterfly(r[2 * i], r[2 * i + 1], roots.tail(block, 3 + i), m);
    for (std::size_t i = 0; i < 2; ++i) {
      const Root root = roots.tail(block, 1 + i);
      inverse_butterfly(r[4 * i], r[4 * i + 2], root, m);
      inverse_butterfly(r[4 * i + 1], r[4 * i + 3], root, m);
    }
    for (std::size_t i = 0; i < 4; ++i) inverse_butterfly(r[i], r[i + 4], roots.tail(block, 0), m);
    transpose(r);
    for (std::size_t i = 0; i < 8; ++i) store(at + i * kLanes, r[i]);
  }
  for (std::size_t blocks = kDegree / 32, quarter = kLanes; blocks != 0;
       blocks /= 4, quarter *= 4) {
    for (std::size_t block = 0; block < blocks; ++block) {
      const Root first = roots.all_lanes(blocks + block);
      const Root second = roots.all_lanes(2 * blocks + 2 * block);
      const Root third = roots.all_lanes(2 * blocks + 2 * block + 1);
      std::uint64_t* at = poly + 4 * quarter * block;
      for (std::size_t i = 0; i < quarter; i += kLanes, at += kLanes) {
        Vector a = load(at), b = load(at + quarter), c = load(at + 2 * quarter),
               d = load(at + 3 * quarter);
        inverse_butterfly(a, b, second, m);
        inverse_butterfly(c, d, third, m);
        inverse_butterfly(a, c, first, m);
        inverse_butterfly(b, d, first, m);
        store(at, a);
        store(at + quarter, b);
        store(at + 2 * quarter, c);
        store(at + 3 * quarter, d);
      }
    }
  }
  const Root scale = {splat(ring.inverse_degree.value), splat(ring.inverse_degree_quotient52)};
  for (std::size_t i = 0; i < kDegree; i += kLanes) {
    store(poly + i, subtract_once_512(multiply_lazy_512(load(poly + i), scale, m), m.p));
  }
}

// sum: N sums of low halves (52 bits each), then N sums of high halves.
void multiply_add(std::uint64_t* sum, const std::uint64_t* x, std::size_t x_stride,
                  const std::uint64_t* y, std::size_t y_stride, std::size_t count) {
  for (std::size_t i = 0; i < kDegree; i += kLanes) {
    Vector low = load(sum + i), high = load(sum + kDegree + i);
    for (std::size_t k = 0; k < count; ++k) {
      const Vector a = load(x + k * x_stride + i), b = load(y + k * y_stride + i);
      low = _mm512_madd52lo_epu64(low, a, b);
      high = _mm512_madd52hi_epu64(high, a, b);
    }
    store(sum + i, low);
    store(sum + kDegree + i, high);
  }
}

void multiply_add_pair(std::uint64_t* sum, const std::uint64_t* x, std::size_t x_stride,
                       const std::uint64_t* y, std::size_t y_stride, std::size_t component_stride,
                       std::size_t count) {
  std::uint64_t* const second = sum + 2 * kDegree;
  for (std::size_t i = 0; i < kDegree; i += kLanes) {
    Vector low = load(sum + i), high = load(sum + kDegree + i);
    Vector second_low = load(second + i), second_high = load(second + kDegree + i);
    for (std::size_t k = 0; k < count; ++k) {
      const std::uint64_t* const at = y + k * y_stride + i;
      const Vector a = load(x + k * x_stride + i), b = load(at), c = load(at + component_stride);
      low = _mm512_madd52lo_epu64(low, a, b);
      high = _mm512_madd52hi_epu64(high, a, b);
      second_low = _mm512_madd52lo_epu64(second_low, a, c);
      second_high = _mm512_madd52hi_epu64(second_high, a, c);
    }
    store(sum + i, low);
    store(sum + kDegree + i, high);
    store(second + i, second_low);
    store(second + kDegree + i, second_high);
  }
}

void reduce(const PrimeRing& ring, const std::uint64_t* sum, std::uint64_t* out) {
  const Modulus m = {splat(ring.p), splat(2 * ring.p)};
  const Root one = {splat(1), splat(ring.one_quotient52)};
  const Root two52 = {splat(ring.two52), splat(ring.two52_quotient52)};
  const Root two104 = {splat(ring.two104), splat(ring.two104_quotient52)};
  const Vector mask = splat(kMask52);
  const Vector p4 = splat(4 * ring.p);
  for (std::size_t i = 0; i < kDegree; i += kLanes) {
    const Vector low = load(sum + i);
    const Vector high = _mm512_add_epi64(load(sum + kDegree + i), _mm512_srli_epi64(low, 52));
    // low + 2^52 high in three 52-bit limbs, each brought below 2p.
    Vector total = multiply_lazy_512(_mm512_and_si512(low, mask), one, m);
    total = _mm512_add_epi64(total, multiply_lazy_512(_mm512_and_si512(high, mask), two52, m));
    total = _mm512_add_epi64(total, multiply_lazy_512(_mm512_srli_epi64(high, 52), two104, m));
    total = subtract_once_512(subtract_once_512(subtract_once_512(total, p4), m.p2), m.p);
    store(out + i, total);
  }
}

}  // namespace

const TransformKernels kIfmaTransform = {forward, inverse, multiply_add, multiply_add_pair, reduce};

}  // namespace pi::he
