#include "he/ciphertext.h"

#include <atomic>
#include <vector>

#include "base/parallel.h"
#include "he/product.h"
#include "he/scaling.h"
#include "he/wiped_buffer.h"

namespace pi::he {
namespace {

// The secret, transformed modulo the first `primes` primes.
void transform_secret(const TransformKernels& kernels, const std::int8_t* secret,
                      std::size_t primes, std::uint64_t* out) {
  for (std::size_t k = 0; k < primes; ++k) {
    const PrimeRing& ring = prime_ring(k);
    for (std::size_t i = 0; i < kDegree; ++i) out[k * kDegree + i] = lift(secret[i], ring.p);
    kernels.forward(ring, out + k * kDegree);
  }
}

}  // namespace

std::size_t Released::offset(std::size_t i) const {
  std::size_t bytes = i * kPackedPolyBytes;
  for (std::size_t j = 0; j < i; ++j) bytes += packed_bytes(size(j));
  return bytes;
}

void encrypt(Isa isa, const std::int8_t* secret, const std::uint32_t* messages, std::size_t count,
             const std::uint8_t* public_seeds, const std::uint8_t* noise_seeds, std::uint8_t* out,
             int threads) {
  const TransformKernels& kernels = transform_kernels(isa);
  WipedBuffer<std::uint64_t> key(kPrimeCount * kDegree);
  transform_secret(kernels, secret, kPrimeCount, key.data());
  parallel_for(count, threads, 1, [&](std::size_t begin, std::size_t end) {
    WipedBuffer<std::uint64_t> body(kPrimeCount * kDegree), sum(2 * kDegree), words(kDegree);
    WipedBuffer<std::int8_t> noise(kDegree);
    for (std::size_t n = begin; n < end; ++n) {
      std::uint8_t* to = out + n * kCiphertextBytes;
      for (std::size_t i = 0; i < kSeedBytes; ++i) to[i] = public_seeds[n * kSeedBytes + i];
      to += kSeedBytes;
      sample_uniform(isa, public_seeds + n * kSeedBytes, body.data());
      sample_binomial(isa, noise_seeds + n * kSeedBytes, words.data(), noise.data());
      for (std::size_t k = 0; k < kPrimeCount; ++k) {
        const PrimeRing& ring = prime_ring(k);
        std::uint64_t* poly = body.data() + k * kDegree;
        multiply_in_place(kernels, ring, key.data() + k * kDegree, poly, sum);
        for (std::size_t i = 0; i < kDegree; ++i) {
          std::uint64_t plain = lift(noise[i], ring.p);
          if (messages != nullptr)
            plain = add_mod(plain, encode(ring, messages[n * kDegree + i]), ring.p);
          poly[i] = subtract_mod(plain, poly[i], ring.p);
        }
        pack(poly, kDegree, to + k * kPackedPolyBytes);
      }
    }
  });
}

bool load(Isa isa, const std::uint8_t* ciphertexts, std::size_t count, std::uint64_t* out,
          int threads) {
  const TransformKernels& kernels = transform_kernels(isa);
  std::atomic<bool> good{true};
  parallel_for(count, threads, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t n = begin; n < end; ++n) {
      const std::uint8_t* from = ciphertexts + n * kCiphertextBytes;
      std::uint64_t* c0 = out + n * kLoadedWords;
      std::uint64_t* c1 = c0 + kPrimeCount * kDegree;
      sample_uniform(isa, from, c1);
      for (std::size_t k = 0; k < kPrimeCount; ++k) {
        const PrimeRing& ring = prime_ring(k);
        const std::uint8_t* packed = from + kSeedBytes + k * kPackedPolyBytes;
        if (!unpack(packed, kDegree, ring.p, c0 + k * kDegree)) good = false;
        kernels.forward(ring, c0 + k * kDegree);
        kernels.forward(ring, c1 + k * kDegree);
      }
    }
  });
  return good;
}

bool decrypt(Isa isa, const std::int8_t* secret, const std::uint8_t* answer,
             const Released& released, std::uint32_t* out, int threads) {
  const TransformKernels& kernels = transform_kernels(isa);
  const PrimeRing& ring = prime_ring(0);
  WipedBuffer<std::uint64_t> key(kDegree);
  transform_secret(kernels, secret, 1, key.data());
  std::atomic<bool> good{true};
  parallel_for(released.count, threads, 1, [&](std::size_t begin, std::size_t end) {
    WipedBuffer<std::uint64_t> poly(kDegree), sum(2 * kDegree);
    std::vector<std::uint64_t> c0(kDegree);
    const std::uint8_t* from = answer + released.offset(begin);
    for (std::size_t n = begin; n < end; ++n) {
      const std::size_t size = released.size(n);
      if (!unpack(from, kDegree, ring.p, poly.data())) good = false;
      if (!unpack(from + kPackedPolyBytes, size, ring.p, c0.data())) good = false;
      from += kPackedPolyBytes + packed_bytes(size);
      multiply_in_place(kernels, ring, key.data(), poly.data(), sum);
      const std::uint64_t first = released.starts[n];
      for (std::size_t i = 0; i < size; ++i) {
        const std::uint64_t product = poly[released.positions[first + i]];
        out[first + i - released.starts[0]] = decode(add_mod(c0[i], product, ring.p));
      }
    }
  });
  return good;
}

}  // namespace pi::he
