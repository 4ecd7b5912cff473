// Implements the kernels of residues.h over a vector type V of 64-bit lanes. One file per
// instruction set gives its V, in an unnamed namespace: nothing here may be shared between files of
// different flags.
//
// V has V::Word; V::kCount lanes; load, store, splat, their forms for narrower items, add, sub,
// band, bxor, left, right; gather (kCount values of a moved polynomial, from their 16-bit places);
// subtract_once (x < 2 * bound), lift (signed to residue), multiply_low (the low 52 bits of a
// product), multiply_lazy (x < 2^52 times a Factor, below 2p), pairs (even and odd words of 2 *
// kCount), below (whether all lanes are).
#pragma once
#include "he/bit_packing.h"
#include "he/residues.h"

namespace pi::he {

template <class V>
struct Residues {
  using Word = typename V::Word;
  static constexpr std::uint64_t kMask50 = (std::uint64_t{1} << kPrimeBits) - 1;
  static constexpr std::uint64_t kMask52 = (std::uint64_t{1} << 52) - 1;
  static constexpr std::uint64_t kMask32 = 0xffffffffu;

  // Holds a constant factor and its modulus in all lanes.
  struct Multiplier {
    typename V::Multiplier factor;
    Word p;
    Multiplier(const Factor& f, std::uint64_t prime)
        : factor(V::multiplier(f)), p(V::splat(prime)) {}
    Word lazy(Word x) const { return V::multiply_lazy(x, factor, p); }
    Word operator()(Word x) const { return V::subtract_once(lazy(x), p); }
  };

  static Word add_mod(Word a, Word b, Word p) { return V::subtract_once(V::add(a, b), p); }
  static Word subtract_mod(Word a, Word b, Word p) {
    return V::subtract_once(V::sub(V::add(a, p), b), p);
  }

  static void ternary(const std::uint64_t* words, std::size_t count, std::int8_t* out) {
    const Word low = V::splat(kMask32), one = V::splat(1);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      const Word word = V::load(words + i);
      const Word below = times3(V::band(word, low)), above = times3(V::right(word, 32));
      const Word third = V::right(V::add(above, V::right(below, 32)), 32);
      V::store(out + i, V::sub(third, one));
    }
  }

  // Returns a - b for the numbers of ones of two runs of bits: ones(a) + ones(not b) -
  // kBinomialBits.
  static void binomial(const std::uint64_t* words, std::size_t count, std::int8_t* out) {
    constexpr std::uint64_t kRun = (std::uint64_t{1} << kBinomialBits) - 1;
    const Word both = V::splat(kRun | kRun << kBinomialBits);
    const Word second = V::splat(kRun << kBinomialBits), bias = V::splat(kBinomialBits);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      const Word bits = V::bxor(V::band(V::load(words + i), both), second);
      V::store(out + i, V::sub(count_ones(bits), bias));
    }
  }

  static bool reject_sample(std::uint64_t p, const std::uint64_t* words, std::size_t count,
                            std::uint64_t* out) {
    const Word mask = V::splat(kMask50), prime = V::splat(p);
    bool good = true;
    for (std::size_t i = 0; i < count; i += V::kCount) {
      const Word candidate = V::band(V::load(words + i), mask);
      good &= V::below(candidate, prime);
      V::store(out + i, candidate);
    }
    return good;
  }

  template <class Small>
  static void lift(std::uint64_t p, const Small* small, std::size_t count, std::uint64_t* out) {
    const Word prime = V::splat(p);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      V::store(out + i, V::lift(V::load(small + i), prime));
    }
  }

  // The compiler makes vectors of these loops.
  static void add_small(const std::int32_t* small, std::size_t count, std::int32_t* sum) {
    for (std::size_t i = 0; i < count; ++i) sum[i] += small[i];
  }

  static void subtract_small(const std::int32_t* small, std::size_t count, std::int32_t* sum) {
    for (std::size_t i = 0; i < count; ++i) sum[i] -= small[i];
  }

  static void add_bytes(std::uint64_t p, const std::int8_t* small, std::size_t count,
                        std::uint64_t* x) {
    const Word prime = V::splat(p);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      const Word lifted = V::lift(V::load(small + i), prime);
      V::store(x + i, add_mod(V::load(x + i), lifted, prime));
    }
  }

  static void add(std::uint64_t p, const std::uint64_t* y, std::size_t count, std::uint64_t* x) {
    const Word prime = V::splat(p);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      V::store(x + i, add_mod(V::load(x + i), V::load(y + i), prime));
    }
  }

  static void subtract_from(std::uint64_t p, const std::uint64_t* y, std::size_t count,
                            std::uint64_t* x) {
    const Word prime = V::splat(p);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      V::store(x + i, subtract_mod(V::load(y + i), V::load(x + i), prime));
    }
  }

  static void add_subtract(std::uint64_t p, std::size_t count, std::uint64_t* x, std::uint64_t* y) {
    const Word prime = V::splat(p);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      const Word a = V::load(x + i), b = V::load(y + i);
      V::store(x + i, add_mod(a, b, prime));
      V::store(y + i, subtract_mod(a, b, prime));
    }
  }

  static void negate(std::uint64_t p, const std::uint64_t* x, std::size_t count,
                     std::uint64_t* out) {
    const Word prime = V::splat(p);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      V::store(out + i, V::subtract_once(V::sub(prime, V::load(x + i)), prime));
    }
  }

  static void scale(const Factor& factor, std::uint64_t p, std::size_t count, std::uint64_t* x) {
    const Multiplier multiply(factor, p);
    for (std::size_t i = 0; i < count; i += V::kCount) V::store(x + i, multiply(V::load(x + i)));
  }

  static void recenter(std::uint64_t from, std::uint64_t to, const std::uint64_t* x,
                       std::size_t count, std::uint64_t* out) {
    const Word half = V::splat(from / 2), gap = V::splat(to - from);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      V::store(out + i, recentered(V::load(x + i), half, gap));
    }
  }

  // round(y / p1) = (y - r) / p1, where r is y modulo p1 nearest to 0.
  static void add_quotient(const Factor& inverse, const std::uint64_t* y0, const std::uint64_t* y1,
                           std::size_t count, std::uint64_t* x) {
    const Multiplier multiply(inverse, kPrimes[0]);
    const Word p = V::splat(kPrimes[0]), half = V::splat(kPrimes[1] / 2);
    const Word gap = V::splat(kPrimes[0] - kPrimes[1]);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      const Word rest = recentered(V::load(y1 + i), half, gap);
      const Word quotient = multiply(subtract_mod(V::load(y0 + i), rest, p));
      V::store(x + i, add_mod(V::load(x + i), quotient, p));
    }
  }

  static void divide_and_move(const Factor& inverse, std::uint64_t prime,
                              const std::uint64_t* addend, const std::uint16_t* index,
                              std::uint64_t* rest, std::uint64_t* x) {
    const Multiplier multiply(inverse, prime);
    const Word p = V::splat(prime);
    for (std::size_t i = 0; i < kDegree; i += V::kCount) {
      Word quotient = multiply(subtract_mod(V::load(x + i), V::load(rest + i), p));
      if (addend != nullptr) quotient = add_mod(quotient, V::load(addend + i), p);
      V::store(rest + i, quotient);
    }
    for (std::size_t i = 0; i < kDegree; i += V::kCount) {
      V::store(x + i, V::gather(rest, index + i));
    }
  }

  // With rem = (q * message + t/2) mod t, round(q * message / t) = (q * message + t/2 - rem) / t,
  // and q is zero modulo the prime.
  static void encode(const PrimeRing& ring, const std::uint32_t* messages, std::size_t count,
                     std::uint64_t* out) {
    constexpr std::uint64_t kHalfPlain = std::uint64_t{1} << (kPlainBits - 1);
    constexpr std::uint64_t kModulusLow = kPrimes[0] * kPrimes[1] * kPrimes[2] & kMask32;
    const Multiplier inverse_plain(ring.inverse_plain, ring.p);
    const Word modulus = V::splat(kModulusLow), half = V::splat(kHalfPlain);
    const Word low = V::splat(kMask32), base = V::splat(kHalfPlain + ring.p);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      const Word product = V::multiply_low(V::load(messages + i), modulus);
      const Word rem = V::band(V::add(product, half), low);
      V::store(out + i, inverse_plain(V::sub(base, rem)));
    }
  }

  // The number has three limbs of 52, 52 and 9 bits.
  static void flood(const PrimeRing& ring, const std::uint64_t* words, std::size_t count,
                    std::uint64_t* out) {
    constexpr std::uint64_t kTopMask = (std::uint64_t{1} << (kFloodBits + 1 - 104)) - 1;
    const Multiplier one(ring.one, ring.p), two52(ring.two52, ring.p), two104(ring.two104, ring.p);
    const Word p = V::splat(ring.p), p2 = V::splat(2 * ring.p), p4 = V::splat(4 * ring.p);
    const Word mask = V::splat(kMask52), top_mask = V::splat(kTopMask);
    const Word offset = V::splat(ring.p - ring.flood_offset);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      Word even, odd;
      V::pairs(words + 2 * i, even, odd);
      const Word middle = V::band(V::add(V::right(even, 52), V::left(odd, 12)), mask);
      Word total = V::add(one.lazy(V::band(even, mask)), two52.lazy(middle));
      total = V::add(total, two104.lazy(V::band(V::right(odd, 40), top_mask)));
      total = V::subtract_once(V::add(total, offset), p4);
      V::store(out + i, V::subtract_once(V::subtract_once(total, p2), p));
    }
  }

  // round(x / m) = (x + h - r) / m with h = (m - 1) / 2, m = p1 * p2 odd, and
  // r = (x + h) mod m = r1 + p1 * r2.
  static void switch_down(const Switch& constants, const std::uint64_t* x0, const std::uint64_t* x1,
                          const std::uint64_t* x2, std::size_t count, std::uint64_t* out) {
    const Word p0 = V::splat(kPrimes[0]), p1 = V::splat(kPrimes[1]), p2 = V::splat(kPrimes[2]);
    const Word half0 = V::splat(constants.half[0]), half1 = V::splat(constants.half[1]);
    const Word half2 = V::splat(constants.half[2]);
    const Multiplier first_inverse(constants.first_inverse, kPrimes[2]);
    const Multiplier first(constants.first, kPrimes[0]), inverse(constants.inverse, kPrimes[0]);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      const Word shifted = add_mod(V::load(x0 + i), half0, p0);
      const Word r1 = add_mod(V::load(x1 + i), half1, p1);
      const Word above = add_mod(V::load(x2 + i), half2, p2);
      const Word r2 = first_inverse(subtract_mod(above, V::subtract_once(r1, p2), p2));
      const Word r = add_mod(r1, first(r2), p0);
      V::store(out + i, inverse(subtract_mod(shifted, r, p0)));
    }
  }

  // Barrett: x * floor(2^84 / p0) / 2^52 is the quotient of t * x by p0 or one less.
  static void decode(const std::uint64_t* x, std::size_t count, std::uint32_t* out) {
    constexpr auto kReciprocal =
        static_cast<std::uint64_t>((static_cast<u128>(1) << 84) / kPrimes[0]);
    const Word reciprocal = V::splat(kReciprocal), p = V::splat(kPrimes[0]);
    const Word half = V::splat(kPrimes[0] / 2), mask = V::splat(kMask52), one = V::splat(1);
    for (std::size_t i = 0; i < count; i += V::kCount) {
      const Word value = V::load(x + i);
      const Word quotient = V::multiply_high(value, reciprocal);
      const Word shifted = V::left(value, kPlainBits);
      // Below 2 * p0, so exact modulo 2^52.
      const Word rest = V::band(V::sub(shifted, V::multiply_low(quotient, p)), mask);
      // Each comparison becomes 0 or 1 by its borrow.
      const Word over = V::sub(one, V::right(V::sub(rest, p), 63));
      const Word round = V::right(V::sub(half, V::subtract_once(rest, p)), 63);
      V::store(out + i, V::add(quotient, V::add(over, round)));
    }
  }

 private:
  // x, or x + gap if it is above half: the borrow of the comparison becomes a mask.
  static Word recentered(Word x, Word half, Word gap) {
    const Word above = V::sub(V::splat(0), V::right(V::sub(half, x), 63));
    return V::add(x, V::band(above, gap));
  }

  static Word times3(Word x) { return V::add(x, V::left(x, 1)); }

  // No instruction and no table of the compiler: these are the same steps for every word below
  // 2^56.
  static Word count_ones(Word x) {
    const Word pairs = V::splat(0x5555555555555555u), fours = V::splat(0x3333333333333333u);
    const Word eights = V::splat(0x0f0f0f0f0f0f0f0fu);
    x = V::sub(x, V::band(V::right(x, 1), pairs));
    x = V::add(V::band(x, fours), V::band(V::right(x, 2), fours));
    x = V::band(V::add(x, V::right(x, 4)), eights);
    x = V::add(x, V::right(x, 8));
    x = V::add(x, V::right(x, 16));
    return V::band(V::add(x, V::right(x, 32)), V::splat(0x7f));
  }
};

template <class V>
constexpr ResidueKernels make_residue_kernels() {
  using R = Residues<V>;
  return {R::ternary,
          R::binomial,
          R::reject_sample,
          R::template lift<std::int32_t>,
          R::template lift<std::int8_t>,
          R::add_small,
          R::subtract_small,
          R::add_bytes,
          R::add,
          R::subtract_from,
          R::add_subtract,
          R::negate,
          R::scale,
          R::recenter,
          R::add_quotient,
          R::divide_and_move,
          R::encode,
          R::flood,
          R::switch_down,
          R::decode,
          V::pack,
          V::unpack};
}

}  // namespace pi::he
