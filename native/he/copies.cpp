#include "he/copies.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "base/parallel.h"
#include "he/product.h"
#include "he/residues.h"
#include "he/wiped_buffer.h"

namespace pi::he {
namespace {

constexpr std::size_t kPrimeKeyWords = kPrimeCount * 2 * kDegree;

// Applies X -> X^power to the secret.
void move_secret(std::size_t power, const std::int8_t* secret, std::int8_t* out) {
  for (std::size_t i = 0; i < kDegree; ++i) {
    const std::size_t at = i * power % (2 * kDegree);
    const auto negated = static_cast<std::int8_t>(at >> kDegreeBits);
    out[at % kDegree] = static_cast<std::int8_t>((secret[i] ^ -negated) + negated);
  }
}

// Scratch memory that starts at a cache line. Its content is undefined and not secret.
class Scratch {
 public:
  explicit Scratch(std::size_t words)
      : data_(static_cast<std::uint64_t*>(std::aligned_alloc(64, words * sizeof(std::uint64_t)))) {
    if (data_ == nullptr) throw std::bad_alloc();
  }
  std::uint64_t* data() { return data_.get(); }

 private:
  struct Free {
    void operator()(std::uint64_t* data) const { std::free(data); }
  };
  std::unique_ptr<std::uint64_t, Free> data_;
};

// The ciphertexts that share the reading of the keys: few enough for a cache.
constexpr std::size_t kTogether = 2;

// Copies neighboring ciphertexts of one group. Nothing here is secret.
class Copier {
 public:
  Copier(Isa isa, std::size_t group, std::size_t copies, std::size_t spread,
         const std::uint64_t* keys)
      : isa_(isa),
        transform_(transform_kernels(isa)),
        residues_(residue_kernels(isa)),
        tables_(automorphism_tables(isa)),
        copies_(copies),
        step_(kCopyOrder / (copies * spread)),
        stride_(group * copies * 2 * kLanes),
        keys_(keys),
        c1_(kPrimeCount * kDegree),
        digits_(kTogether * kCopyPrimes * 2 * kDegree),
        last_digits_(kTogether * kCopyPrimes * kDegree),
        special_(kTogether * copies * 2 * kDegree),
        moved_(kTogether * copies * 2 * kDegree),
        rest_(kDegree),
        addend_(kTogether * kDegree) {
    for (std::size_t k = 0; k < kPrimeCount; ++k) {
      const std::uint64_t p = kPrimes[k];
      inverse_[k] = make_factor(power_mod(kCopyPrime % p, p - 2, p), p);
    }
  }

  // loaded: of the first of `count` ciphertexts.
  void run(const std::uint8_t* ciphertexts, std::size_t count, std::uint64_t* loaded) {
    for (std::size_t n = 0; n < count; ++n) {
      decompose(ciphertexts + n * kCiphertextBytes, n, loaded + n * copies_ * 2 * kLanes);
    }
    for (std::size_t copy = 1; copy < copies_; ++copy) {
      switch_keys(copy, kPrimeCount, count, special_.data());
      for (std::size_t n = 0; n < count; ++n) {
        for (std::size_t component = 0; component < 2; ++component) {
          transform_.inverse(prime_ring(kPrimeCount), special_.data() + place(n, copy, component));
        }
      }
    }
    for (std::size_t k = 0; k < kPrimeCount; ++k)
      finish(k, count, loaded + k * kLaneBlocks * stride_);
  }

 private:
  // The digits of c1 are its residues, nearest to 0.
  void decompose(const std::uint8_t* seed, std::size_t n, const std::uint64_t* loaded) {
    sample_uniform(isa_, seed, c1_.data());
    for (std::size_t digit = 0; digit < kPrimeCount; ++digit) {
      for (std::size_t k = 0; k < kCopyPrimes; ++k) {
        const bool last = digit + 1 == kPrimeCount;
        std::uint64_t* const to =
            last ? last_digits_.data() + (k * kTogether + n) * kDegree
                 : digits_.data() + (k * kTogether + n) * 2 * kDegree + digit * kLanes;
        const std::size_t stride = last ? kLanes : 2 * kLanes;
        if (k == digit) {
          copy_blocks(loaded + k * kLaneBlocks * stride_ + kLanes, stride_, to, stride);
        } else {
          residues_.recenter(kPrimes[digit], prime_ring(k).p, c1_.data() + digit * kDegree, kDegree,
                             rest_.data());
          transform_.forward(prime_ring(k), rest_.data(), to, stride);
        }
      }
    }
  }

  // A constant size is copied without a call.
  static void copy_block(const std::uint64_t* from, std::uint64_t* to) {
    std::memcpy(to, from, kLanes * sizeof(std::uint64_t));
  }

  static void copy_blocks(const std::uint64_t* from, std::size_t from_stride, std::uint64_t* to,
                          std::size_t to_stride) {
    for (std::size_t block = 0; block < kLaneBlocks; ++block) {
      copy_block(from + block * from_stride, to + block * to_stride);
    }
  }

  // Sums digits times keys modulo prime k. combine() adds products of polynomials in this way.
  void switch_keys(std::size_t copy, std::size_t k, std::size_t count, std::uint64_t* out) {
    const std::uint64_t* const key =
        keys_ + (step_ * copy - 1) * kLoadedCopyKeyWords + k * kPrimeKeyWords;
    Combination combination{};
    combination.weights = digits_.data() + k * kTogether * 2 * kDegree;
    combination.weight_stride = 2 * kDegree;
    combination.run_blocks = 1;
    combination.inputs = key;
    combination.input_count = kPrimeCount - 1;
    combination.blinds = last_digits_.data() + k * kTogether * kDegree;
    combination.key = key + 2 * (kPrimeCount - 1) * kDegree;
    combination.out = out + place(0, copy, 0);
    combination.out_stride = place(1, 0, 0);
    combination.component_stride = place(0, 0, 1);
    combination.output_count = count;
    combination.blocks = kLaneBlocks;
    transform_.combine(prime_ring(k), combination);
  }

  // Divides the sums by the special prime, with rounding, adds c0, and applies the automorphisms.
  // The copies are written together, because scattered lines would take most of the time.
  void finish(std::size_t k, std::size_t count, std::uint64_t* loaded) {
    const PrimeRing& ring = prime_ring(k);
    for (std::size_t n = 0; n < count; ++n) {
      copy_blocks(loaded + n * copies_ * 2 * kLanes, stride_, addend_.data() + n * kDegree, kLanes);
    }
    for (std::size_t copy = 1; copy < copies_; ++copy) {
      switch_keys(copy, k, count, moved_.data());
      for (std::size_t n = 0; n < count; ++n) {
        for (std::size_t component = 0; component < 2; ++component) {
          const std::size_t at = place(n, copy, component);
          residues_.recenter(kCopyPrime, ring.p, special_.data() + at, kDegree, rest_.data());
          forward_in_place(transform_, ring, rest_.data());
          residues_.divide_and_move(
              inverse_[k], ring.p, component == 0 ? addend_.data() + n * kDegree : nullptr,
              tables_.copy_index[step_ * copy - 1], rest_.data(), moved_.data() + at);
        }
      }
    }
    for (std::size_t block = 0; block < kLaneBlocks; ++block) {
      std::uint64_t* to = loaded + block * stride_;
      for (std::size_t n = 0; n < count; ++n, to += 2 * kLanes) {
        for (std::size_t copy = 1; copy < copies_; ++copy) {
          to += 2 * kLanes;
          for (std::size_t component = 0; component < 2; ++component) {
            copy_block(moved_.data() + place(n, copy, component) + block * kLanes,
                       to + component * kLanes);
          }
        }
      }
    }
  }

  std::size_t place(std::size_t n, std::size_t copy, std::size_t component) const {
    return ((n * copies_ + copy) * 2 + component) * kDegree;
  }

  Isa isa_;
  const TransformKernels& transform_;
  const ResidueKernels& residues_;
  const AutomorphismTables& tables_;
  std::size_t copies_, step_, stride_;
  const std::uint64_t* keys_;
  Factor inverse_[kPrimeCount];
  // digits: [prime][ciphertext][block][digit][kLanes]; last_digits: [prime][ciphertext][N].
  // special, moved: [ciphertext][copy][component][N].
  Scratch c1_, digits_, last_digits_, special_, moved_, rest_, addend_;
};

}  // namespace

void make_copy_keys(Isa isa, const std::int8_t* secret, const std::uint8_t* public_seeds,
                    const std::uint8_t* noise_seeds, std::uint8_t* out) {
  const TransformKernels& transform = transform_kernels(isa);
  const ResidueKernels& residues = residue_kernels(isa);
  WipedBuffer<std::uint64_t> under(kCopyPrimes * kDegree), plain(kDegree), words(kDegree);
  WipedBuffer<std::int8_t> moved(kDegree), noise(kDegree);
  // Holds a times the moved secret before the noise is added.
  WipedBuffer<std::uint64_t> body(kCopyPrimes * kDegree);
  for (std::size_t i = 1; i <= kCopyKeys; ++i) {
    move_secret(copy_power(kCopyOrder - i), secret, moved.data());
    for (std::size_t k = 0; k < kCopyPrimes; ++k) {
      residues.lift_bytes(prime_ring(k).p, moved.data(), kDegree, under.data() + k * kDegree);
      forward_in_place(transform, prime_ring(k), under.data() + k * kDegree);
    }
    for (std::size_t digit = 0; digit < kPrimeCount; ++digit) {
      std::copy_n(public_seeds, kSeedBytes, out);
      out += kSeedBytes;
      sample_uniform(isa, public_seeds, body.data(), kCopyPrimes);
      sample_binomial(isa, noise_seeds, words.data(), noise.data());
      public_seeds += kSeedBytes;
      noise_seeds += kSeedBytes;
      for (std::size_t k = 0; k < kCopyPrimes; ++k, out += kPackedPolyBytes) {
        const std::uint64_t p = prime_ring(k).p;
        std::uint64_t* const poly = body.data() + k * kDegree;
        multiply_in_place(transform, prime_ring(k), under.data() + k * kDegree, poly);
        if (k == digit) {  // modulo the other primes, the digit's factor is zero
          residues.lift_bytes(p, secret, kDegree, plain.data());
          residues.scale(make_factor(kCopyPrime % p, p), p, kDegree, plain.data());
        } else {
          plain.clear();
        }
        residues.add_bytes(p, noise.data(), kDegree, plain.data());
        residues.subtract_from(p, plain.data(), kDegree, poly);
        residues.pack(poly, kDegree, out);
      }
    }
  }
}

bool load_copy_keys(Isa isa, const std::uint8_t* keys, std::uint64_t* out) {
  const TransformKernels& transform = transform_kernels(isa);
  const ResidueKernels& residues = residue_kernels(isa);
  std::vector<std::uint64_t> body(kCopyPrimes * kDegree), first(kDegree);
  bool good = true;
  for (std::size_t i = 0; i < kCopyKeys; ++i, out += kLoadedCopyKeyWords) {
    for (std::size_t digit = 0; digit < kPrimeCount; ++digit) {
      sample_uniform(isa, keys, body.data(), kCopyPrimes);
      keys += kSeedBytes;
      const bool last = digit + 1 == kPrimeCount;
      const std::size_t stride = (last ? 1 : kPrimeCount - 1) * 2 * kLanes;
      for (std::size_t k = 0; k < kCopyPrimes; ++k, keys += kPackedPolyBytes) {
        const PrimeRing& ring = prime_ring(k);
        std::uint64_t* const to = out + k * kPrimeKeyWords +
                                  (last ? 2 * (kPrimeCount - 1) * kDegree : digit * 2 * kLanes);
        good &= residues.unpack(keys, kDegree, ring.p, first.data());
        transform.forward(ring, first.data(), to, stride);
        transform.forward(ring, body.data() + k * kDegree, to + kLanes, stride);
      }
    }
  }
  return good;
}

void add_copies(Isa isa, const std::uint8_t* ciphertexts, std::size_t count, std::size_t group,
                std::size_t copies, std::size_t spread, const std::uint64_t* keys,
                std::uint64_t* loaded, int threads) {
  const std::size_t runs = (group + kTogether - 1) / kTogether;
  parallel_for(count / group * runs, threads, 1, [&](std::size_t begin, std::size_t end) {
    Copier copier(isa, group, copies, spread, keys);
    for (std::size_t n = begin; n < end; ++n) {
      const std::size_t tile = n / runs, first = n % runs * kTogether;
      copier.run(ciphertexts + (tile * group + first) * kCiphertextBytes,
                 std::min(kTogether, group - first),
                 loaded + tile * group * copies * kLoadedWords + first * copies * 2 * kLanes);
    }
  });
}

}  // namespace pi::he
