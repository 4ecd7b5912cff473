// AVX-512 IFMA kernels: 52-bit products, eight coefficients a vector. Transformed polynomials are
// transposed within every 64 coefficients, so that the last three layers pair whole vectors.
#include "he/ifma_vector.h"

namespace pi::he {
namespace {

constexpr std::size_t kBlock = 64;

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

}  // namespace

const TransformKernels kIfmaTransform = {forward, inverse, multiply_ifma, combine_ifma};

}  // namespace pi::he
