#include "he/join.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/parallel.h"
#include "he/automorphism.h"
#include "he/product.h"
#include "he/residues.h"
#include "he/wiped_buffer.h"

namespace pi::he {
namespace {

static_assert(kMaxJoinLevels <= kAutomorphisms);

constexpr std::uint64_t p0 = kPrimes[0], p1 = kPrimes[1];

// Multiplies a polynomial in coefficient form by X^shift.
void rotate(std::uint64_t p, std::size_t shift, std::uint64_t* poly) {
  std::uint64_t wrapped[std::size_t{1} << kMaxJoinLevels];
  for (std::size_t i = 0; i < shift; ++i) {
    wrapped[i] = subtract_once(p - poly[kDegree - shift + i], p);
  }
  std::copy_backward(poly, poly + kDegree - shift, poly + kDegree);
  std::copy_n(wrapped, shift, poly);
}

// Joins the products of one answer.
class Joiner {
 public:
  Joiner(Isa isa, const std::uint64_t* keys)
      : transform_(transform_kernels(isa)),
        residues_(residue_kernels(isa)),
        tables_(automorphism_tables(isa)),
        keys_(keys),
        inverse_special_(make_factor(power_mod(p1, p0 - 2, p0), p0)),
        switched_((kMaxJoinLevels + 1) * kJoinPrimes * kDegree),
        difference_(2 * kDegree),
        digit_(kJoinPrimes * kDegree),
        product_(kJoinPrimes * kDegree) {}

  // c1 of the answer is left in the first product. Returns the sum of what key switching adds to
  // c0, in coefficient form modulo p0.
  const std::uint64_t* run(std::uint64_t* c1, std::size_t count) {
    levels_ = join_levels(count);
    const Factor half = make_factor((p0 + 1) / 2, p0);
    std::uint64_t scale = 1;
    for (std::size_t i = 0; i < levels_; ++i) scale = multiply(scale, half, p0);
    const Factor factor = make_factor(scale, p0);
    for (std::size_t n = 0; n < count; ++n) {
      residues_.scale(factor, p0, kDegree, c1 + n * kDegree);
    }
    if (levels_ != 0) join_range(c1, count, levels_);
    std::uint64_t* const sum = switched(levels_);
    product_.clear();
    if (levels_ != 0) {
      for (std::size_t k = 0; k < kJoinPrimes; ++k) {
        transform_.inverse(prime_ring(k), sum + k * kDegree);
      }
      residues_.add_quotient(inverse_special_, sum, sum + kDegree, kDegree, product_.data());
    }
    return product_.data();
  }

 private:
  // Joins up to 2^levels products into the first; switched(levels) gets what is added to c0.
  void join_range(std::uint64_t* c1, std::size_t count, std::size_t levels) {
    if (levels == 0) return;
    const std::size_t half = std::size_t{1} << (levels - 1);
    join_range(c1, std::min(count, half), levels - 1);
    std::uint64_t* const sum = switched(levels);
    if (levels > 1) std::copy_n(switched(levels - 1), kJoinPrimes * kDegree, sum);
    std::uint64_t* second = nullptr;
    if (count > half) {
      second = c1 + half * kDegree;
      join_range(second, count - half, levels - 1);
    }
    merge(c1, second, levels_ - levels, levels > 1, sum, switched(levels - 1));
  }

  // first = first + X^(2^j) second + automorphism(first - X^(2^j) second), with its key switched.
  // sum, other: of first and second, if they have been joined before.
  void merge(std::uint64_t* first, std::uint64_t* second, std::size_t j, bool joined,
             std::uint64_t* sum, std::uint64_t* other) {
    if (second != nullptr) {
      rotate(p0, std::size_t{1} << j, second);
      std::copy_n(second, kDegree, difference_.data());
      residues_.add_subtract(p0, kDegree, first, difference_.data());
    } else {
      std::copy_n(first, kDegree, difference_.data());
    }
    residues_.negate(p0, difference_.data(), kDegree, difference_.data() + kDegree);
    apply_automorphism(j, difference_.data(), digit_.data());
    residues_.recenter(p0, p1, digit_.data(), kDegree, digit_.data() + kDegree);
    for (std::size_t k = 0; k < kJoinPrimes; ++k) {
      const PrimeRing& ring = prime_ring(k);
      const std::uint64_t* const key = keys_ + j * kLoadedJoinKeyWords + k * kDegree;
      std::uint64_t* const digit = digit_.data() + k * kDegree;
      std::uint64_t* const product = product_.data() + k * kDegree;
      forward_in_place(transform_, ring, digit);
      std::copy_n(digit, kDegree, product);
      transform_.multiply(ring, product, key + kJoinPrimes * kDegree);
      transform_.inverse(ring, product);
      transform_.multiply(ring, digit, key);
    }
    residues_.add_quotient(inverse_special_, product_.data(), product_.data() + kDegree, kDegree,
                           first);
    for (std::size_t k = 0; k < kJoinPrimes; ++k) {
      std::uint64_t* const total = sum + k * kDegree;
      const std::uint64_t* const digit = digit_.data() + k * kDegree;
      if (!joined) {
        std::copy_n(digit, kDegree, total);
        continue;
      }
      move(k, j, total, second == nullptr ? nullptr : other + k * kDegree);
      residues_.add(kPrimes[k], digit, kDegree, total);
    }
  }

  // The same on what key switching has added to c0, transformed: no key is needed.
  void move(std::size_t k, std::size_t j, std::uint64_t* first, std::uint64_t* second) {
    const std::uint16_t* const index = tables_.index[j];
    const std::uint64_t* from = first;
    if (second != nullptr) {
      transform_.multiply(prime_ring(k), second, tables_.monomial[j][k]);
      residues_.add_subtract(kPrimes[k], kDegree, first, second);
      from = second;
    }
    for (std::size_t i = 0; i < kDegree; ++i) difference_[i] = from[index[i]];
    residues_.add(kPrimes[k], difference_.data(), kDegree, first);
  }

  std::uint64_t* switched(std::size_t levels) {
    return switched_.data() + levels * kJoinPrimes * kDegree;
  }

  const TransformKernels& transform_;
  const ResidueKernels& residues_;
  const AutomorphismTables& tables_;
  const std::uint64_t* keys_;
  Factor inverse_special_;
  std::size_t levels_ = 0;
  WipedBuffer<std::uint64_t> switched_, difference_, digit_, product_;
};

}  // namespace

void make_join_keys(Isa isa, const std::int8_t* secret, std::size_t count,
                    const std::uint8_t* public_seeds, const std::uint8_t* noise_seeds,
                    std::uint8_t* out) {
  const TransformKernels& transform = transform_kernels(isa);
  const ResidueKernels& residues = residue_kernels(isa);
  WipedBuffer<std::uint64_t> key(kDegree), plain(2 * kDegree), moved(kDegree), words(kDegree);
  WipedBuffer<std::int8_t> noise(kDegree);
  // Holds a times the secret before the noise is added.
  WipedBuffer<std::uint64_t> body(kPrimeCount * kDegree);
  const Factor special = make_factor(p1, p0);
  for (std::size_t j = 0; j < count; ++j) {
    std::uint8_t* to = out + j * kJoinKeyBytes;
    std::copy_n(public_seeds + j * kSeedBytes, kSeedBytes, to);
    to += kSeedBytes;
    sample_uniform(isa, public_seeds + j * kSeedBytes, body.data());
    sample_binomial(isa, noise_seeds + j * kSeedBytes, words.data(), noise.data());
    for (std::size_t k = 0; k < kJoinPrimes; ++k, to += kPackedPolyBytes) {
      const PrimeRing& ring = prime_ring(k);
      std::uint64_t* const poly = body.data() + k * kDegree;
      residues.lift_bytes(ring.p, secret, kDegree, plain.data());
      std::copy_n(plain.data(), kDegree, key.data());
      forward_in_place(transform, ring, key.data());
      multiply_in_place(transform, ring, key.data(), poly);
      if (k == 0) {  // the special prime is zero modulo itself
        residues.negate(p0, plain.data(), kDegree, plain.data() + kDegree);
        apply_automorphism(j, plain.data(), moved.data());
        residues.scale(special, p0, kDegree, moved.data());
      } else {
        moved.clear();
      }
      residues.add_bytes(ring.p, noise.data(), kDegree, moved.data());
      residues.subtract_from(ring.p, moved.data(), kDegree, poly);
      residues.pack(poly, kDegree, to);
    }
  }
}

bool load_join_keys(Isa isa, const std::uint8_t* keys, std::size_t count, std::uint64_t* out) {
  const TransformKernels& transform = transform_kernels(isa);
  const ResidueKernels& residues = residue_kernels(isa);
  std::vector<std::uint64_t> body(kPrimeCount * kDegree);
  bool good = true;
  for (std::size_t j = 0; j < count; ++j, keys += kJoinKeyBytes) {
    sample_uniform(isa, keys, body.data());
    for (std::size_t k = 0; k < kJoinPrimes; ++k) {
      std::uint64_t* const to = out + j * kLoadedJoinKeyWords + k * kDegree;
      good &= residues.unpack(keys + kSeedBytes + k * kPackedPolyBytes, kDegree, kPrimes[k], to);
      forward_in_place(transform, prime_ring(k), to);
      std::copy_n(body.data() + k * kDegree, kDegree, to + kJoinPrimes * kDegree);
      forward_in_place(transform, prime_ring(k), to + kJoinPrimes * kDegree);
    }
  }
  return good;
}

std::size_t join_levels(std::size_t count) {
  return static_cast<std::size_t>(std::bit_width(count - 1));
}

std::size_t join_slot(std::size_t index, std::size_t levels) {
  std::size_t slot = 0;
  for (std::size_t bit = 0; bit < levels; ++bit) slot |= (index >> bit & 1) << (levels - 1 - bit);
  return slot;
}

std::size_t answer_offset(const Released& released, std::size_t per_answer, std::size_t index) {
  std::size_t bytes = index * kPackedPolyBytes;
  for (std::size_t n = 0; n < index; ++n) {
    const std::size_t end = std::min((n + 1) * per_answer, released.count);
    bytes += packed_bytes(
        static_cast<std::size_t>(released.starts[end] - released.starts[n * per_answer]));
  }
  return bytes;
}

void join(Isa isa, const Products& products, std::uint8_t* out, int threads) {
  const ResidueKernels& residues = residue_kernels(isa);
  const Released& released = products.released;
  const std::size_t per_answer = products.per_answer;
  const std::size_t answers = (released.count + per_answer - 1) / per_answer;
  parallel_for(answers, threads, 1, [&](std::size_t begin, std::size_t end) {
    Joiner joiner(isa, products.keys);
    for (std::size_t answer = begin; answer < end; ++answer) {
      const std::size_t first = answer * per_answer;
      const std::size_t count = std::min(per_answer, released.count - first);
      const std::uint64_t* const added = joiner.run(products.c1 + first * kDegree, count);
      for (std::size_t n = 0; n < count; ++n) {
        const std::size_t slot = join_slot(n, join_levels(count));
        for (std::uint64_t i = released.starts[first + n]; i < released.starts[first + n + 1];
             ++i) {
          products.c0[i] = add_mod(products.c0[i], added[released.positions[i] + slot], p0);
        }
      }
      std::uint8_t* const to = out + answer_offset(released, per_answer, answer);
      const std::uint64_t from = released.starts[first];
      residues.pack(products.c1 + first * kDegree, kDegree, to);
      residues.pack(products.c0 + from,
                    static_cast<std::size_t>(released.starts[first + count] - from),
                    to + kPackedPolyBytes);
    }
  });
}

}  // namespace pi::he
