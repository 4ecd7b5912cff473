#include "he/ciphertext.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/parallel.h"
#include "he/product.h"
#include "he/residues.h"
#include "he/wiped_buffer.h"

namespace pi::he {
namespace {

// The secret, transformed modulo the first `primes` primes.
void transform_secret(Isa isa, const std::int8_t* secret, std::size_t primes, std::uint64_t* out) {
  for (std::size_t k = 0; k < primes; ++k) {
    const PrimeRing& ring = prime_ring(k);
    residue_kernels(isa).lift_bytes(ring.p, secret, kDegree, out + k * kDegree);
    forward_in_place(transform_kernels(isa), ring, out + k * kDegree);
  }
}

}  // namespace

std::size_t Released::offset(std::size_t i) const {
  std::size_t bytes = i * kPackedPolyBytes;
  for (std::size_t j = 0; j < i; ++j) bytes += packed_bytes(size(j));
  return bytes;
}

void encrypt(Isa isa, const std::int8_t* secret, const std::uint32_t* messages, std::size_t count,
             std::size_t copies, const std::uint8_t* public_seeds, const std::uint8_t* noise_seeds,
             std::uint8_t* out, int threads) {
  const TransformKernels& transform = transform_kernels(isa);
  const ResidueKernels& residues = residue_kernels(isa);
  WipedBuffer<std::uint64_t> key(kPrimeCount * kDegree);
  transform_secret(isa, secret, kPrimeCount, key.data());
  parallel_for(count, threads, 1, [&](std::size_t begin, std::size_t end) {
    WipedBuffer<std::uint64_t> body(kPrimeCount * kDegree), plain(kDegree);
    WipedBuffer<std::int8_t> noise(kDegree);
    for (std::size_t n = begin; n < end; ++n) {
      std::uint8_t* to = out + n * kCiphertextBytes;
      for (std::size_t i = 0; i < kSeedBytes; ++i) to[i] = public_seeds[n * kSeedBytes + i];
      to += kSeedBytes;
      sample_uniform(isa, public_seeds + n * kSeedBytes, body.data());
      sample_binomial(isa, noise_seeds + n * kSeedBytes, plain.data(), noise.data());
      for (std::size_t k = 0; k < kPrimeCount; ++k) {
        const PrimeRing& ring = prime_ring(k);
        std::uint64_t* poly = body.data() + k * kDegree;
        multiply_in_place(transform, ring, key.data() + k * kDegree, poly);
        if (messages == nullptr) {
          plain.clear();
        } else {
          residues.encode(ring, messages + n * kDegree, kDegree, plain.data());
          if (copies > 1) {
            const std::uint64_t inverse = power_mod(copies, ring.p - 2, ring.p);
            residues.scale(make_factor(inverse, ring.p), ring.p, kDegree, plain.data());
          }
        }
        residues.add_bytes(ring.p, noise.data(), kDegree, plain.data());
        residues.subtract_from(ring.p, plain.data(), kDegree, poly);
        residues.pack(poly, kDegree, to + k * kPackedPolyBytes);
      }
    }
  });
}

bool load(Isa isa, const std::uint8_t* ciphertexts, std::size_t count, std::size_t group,
          std::size_t copies, std::uint64_t* out, int threads) {
  const TransformKernels& transform = transform_kernels(isa);
  const ResidueKernels& residues = residue_kernels(isa);
  std::atomic<bool> good{true};
  parallel_for(count, threads, 1, [&](std::size_t begin, std::size_t end) {
    std::vector<std::uint64_t> c1(kPrimeCount * kDegree), c0(kDegree);
    for (std::size_t n = begin; n < end; ++n) {
      const std::uint8_t* from = ciphertexts + n * kCiphertextBytes;
      const std::size_t stride = group * copies * 2 * kLanes;
      std::uint64_t* const to =
          out + n / group * group * copies * kLoadedWords + n % group * copies * 2 * kLanes;
      sample_uniform(isa, from, c1.data());
      from += kSeedBytes;
      for (std::size_t k = 0; k < kPrimeCount; ++k, from += kPackedPolyBytes) {
        const PrimeRing& ring = prime_ring(k);
        if (!residues.unpack(from, kDegree, ring.p, c0.data())) good = false;
        std::uint64_t* const prime = to + k * kLaneBlocks * stride;
        transform.forward(ring, c0.data(), prime, stride);
        transform.forward(ring, c1.data() + k * kDegree, prime + kLanes, stride);
      }
    }
  });
  return good;
}

bool decrypt(Isa isa, const std::int8_t* secret, const std::uint8_t* answer,
             const Released& released, std::uint32_t* out, int threads) {
  const ResidueKernels& residues = residue_kernels(isa);
  const PrimeRing& ring = prime_ring(0);
  WipedBuffer<std::uint64_t> key(kDegree);
  transform_secret(isa, secret, 1, key.data());
  std::atomic<bool> good{true};
  parallel_for(released.count, threads, 1, [&](std::size_t begin, std::size_t end) {
    WipedBuffer<std::uint64_t> poly(kDegree), values(kDegree);
    WipedBuffer<std::uint32_t> decoded(kDegree);
    std::vector<std::uint64_t> c0(kDegree);
    const std::uint8_t* from = answer + released.offset(begin);
    for (std::size_t n = begin; n < end; ++n) {
      const std::size_t size = released.size(n);
      if (!residues.unpack(from, kDegree, ring.p, poly.data())) good = false;
      if (!residues.unpack(from + kPackedPolyBytes, size, ring.p, c0.data())) good = false;
      from += kPackedPolyBytes + packed_bytes(size);
      multiply_in_place(transform_kernels(isa), ring, key.data(), poly.data());
      const std::uint64_t first = released.starts[n];
      for (std::size_t i = 0; i < size; ++i) values[i] = poly[released.positions[first + i]];
      residues.add(ring.p, c0.data(), padded(size), values.data());
      residues.decode(values.data(), padded(size), decoded.data());
      std::copy_n(decoded.data(), size, out + first - released.starts[0]);
    }
  });
  return good;
}

}  // namespace pi::he
