// Declares arithmetic on arrays of residues, plaintexts and samples, with one table of kernels per
// instruction set. All give the same bytes, without a branch or an index that depends on a value.
// Counts are multiples of kResidueLanes, so callers pad.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "he/ring.h"
#include "he/scaling.h"

namespace pi::he {

inline constexpr std::size_t kResidueLanes = 8;

constexpr std::size_t padded(std::size_t count) {
  return (count + kResidueLanes - 1) / kResidueLanes * kResidueLanes;
}

struct ResidueKernels {
  // Writes floor(3 * word / 2^64) - 1, within 2^-62 of uniform on {-1, 0, 1}.
  void (*ternary)(const std::uint64_t* words, std::size_t count, std::int8_t* out);
  // Writes the difference of two sums of kBinomialBits bits: variance kBinomialBits / 2.
  void (*binomial)(const std::uint64_t* words, std::size_t count, std::int8_t* out);
  // Writes the lowest 50 bits of each word; returns false if one of them is not below p. The words
  // are public.
  bool (*reject_sample)(std::uint64_t p, const std::uint64_t* words, std::size_t count,
                        std::uint64_t* out);

  // Writes small signed integers modulo p.
  void (*lift)(std::uint64_t p, const std::int32_t* small, std::size_t count, std::uint64_t* out);
  void (*lift_bytes)(std::uint64_t p, const std::int8_t* small, std::size_t count,
                     std::uint64_t* out);
  // Compute sum += small and sum -= small, of integers.
  void (*add_small)(const std::int32_t* small, std::size_t count, std::int32_t* sum);
  void (*subtract_small)(const std::int32_t* small, std::size_t count, std::int32_t* sum);
  // Computes x += small modulo p.
  void (*add_bytes)(std::uint64_t p, const std::int8_t* small, std::size_t count, std::uint64_t* x);
  // Compute x += y modulo p, and x = y - x modulo p.
  void (*add)(std::uint64_t p, const std::uint64_t* y, std::size_t count, std::uint64_t* x);
  void (*subtract_from)(std::uint64_t p, const std::uint64_t* y, std::size_t count,
                        std::uint64_t* x);

  // Computes x = x + y and y = x - y modulo p.
  void (*add_subtract)(std::uint64_t p, std::size_t count, std::uint64_t* x, std::uint64_t* y);
  // Writes -x modulo p.
  void (*negate)(std::uint64_t p, const std::uint64_t* x, std::size_t count, std::uint64_t* out);
  // Computes x *= factor modulo p.
  void (*scale)(const Factor& factor, std::uint64_t p, std::size_t count, std::uint64_t* x);
  // Writes modulo `to` the integers nearest to 0 that x has modulo `from`. The primes are close.
  void (*recenter)(std::uint64_t from, std::uint64_t to, const std::uint64_t* x, std::size_t count,
                   std::uint64_t* out);
  // Computes x += round(y / p1) modulo p0, for y modulo p0 * p1 given by its residues. inverse:
  // 1/p1 modulo p0.
  void (*add_quotient)(const Factor& inverse, const std::uint64_t* y0, const std::uint64_t* y1,
                       std::size_t count, std::uint64_t* x);

  // Computes rest = (x - rest) * inverse + addend modulo p, and sets coefficient i of x to
  // coefficient index[i] of it. addend may be nullptr. All have N coefficients, none of them
  // secret.
  void (*divide_and_move)(const Factor& inverse, std::uint64_t p, const std::uint64_t* addend,
                          const std::uint16_t* index, std::uint64_t* rest, std::uint64_t* x);

  // Writes round(q * message / t) modulo the ring's prime.
  void (*encode)(const PrimeRing& ring, const std::uint32_t* messages, std::size_t count,
                 std::uint64_t* out);
  // Turns every two words into an integer uniform in [-2^kFloodBits, 2^kFloodBits), modulo the
  // ring's prime.
  void (*flood)(const PrimeRing& ring, const std::uint64_t* words, std::size_t count,
                std::uint64_t* out);
  // Writes round(x / (p1 * p2)) modulo p0, for x modulo q given by its residues.
  void (*switch_down)(const Switch& constants, const std::uint64_t* x0, const std::uint64_t* x1,
                      const std::uint64_t* x2, std::size_t count, std::uint64_t* out);
  // Writes round(t * x / p0) modulo t, for x below p0.
  void (*decode)(const std::uint64_t* x, std::size_t count, std::uint32_t* out);

  // Pack and unpack any number of values below 2^50 as 50 bits each (bit_packing.h).
  void (*pack)(const std::uint64_t* values, std::size_t count, std::uint8_t* out);
  bool (*unpack)(const std::uint8_t* in, std::size_t count, std::uint64_t p, std::uint64_t* values);
};

extern const ResidueKernels kScalarResidues;
extern const ResidueKernels kIfmaResidues;

const ResidueKernels& residue_kernels(Isa isa);

}  // namespace pi::he
