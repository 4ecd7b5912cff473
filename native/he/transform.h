// Declares the negacyclic number-theoretic transform and products of transformed polynomials, with
// one table of kernels per instruction set. Each kernel has its own order of transformed
// coefficients, so transformed polynomials must stay with the kernels that made them; they are
// never sent.
//
// Source: Harvey, "Faster arithmetic for number-theoretic transforms" (2014). Butterflies work on
// values below 4p, with one constant quotient per root, and values are reduced once at the end.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "he/ring.h"

namespace pi::he {

// The most products that combine() may add: the 52-bit kernel's accumulators hold no more.
inline constexpr std::size_t kMaxProducts = 4096;

// Polynomials that are multiplied are interleaved: kLanes coefficients of each in turn, so that a
// sum of products reads memory in one stream.
inline constexpr std::size_t kLanes = 8;
inline constexpr std::size_t kLaneBlocks = kDegree / kLanes;

// A polynomial in X^run, with run a power of two, has equal values over runs of `run` transformed
// coefficients, in every kernel's order if run is at least kMinRun.
inline constexpr std::size_t kMinRun = 64;

// The output polynomials per pass over the inputs.
inline constexpr std::size_t kMaxOutputs = 4;

// Computes out[o][component] = sum over i of weights[o][i] * inputs[i][component] + blinds[o] *
// key[component], of transformed polynomials below p, for one prime. There are `blocks` of kLanes
// coefficients each.
struct Combination {
  const std::uint64_t* weights;  // of output o at o * weight_stride: [block][input][kLanes]
  std::size_t weight_stride;
  // The blocks that share their weights: 1, or run / kLanes with weights[run][input], one word
  // each.
  std::size_t run_blocks;
  const std::uint64_t* inputs;  // [block][input][component][kLanes]
  std::size_t input_count;      // below kMaxProducts
  const std::uint64_t* blinds;  // of output o at o * kDegree: [block][kLanes]
  const std::uint64_t* key;     // [block][component][kLanes]
  std::uint64_t* out;  // of output o at o * out_stride, component c at c * component_stride
  std::size_t out_stride, component_stride;
  std::size_t output_count;  // 1 to kMaxOutputs
  std::size_t blocks;
};

struct TransformKernels {
  // Transforms poly, which is below 4p and overwritten. Block b of kLanes coefficients goes to out
  // + b * stride, below p: out = poly and stride = kLanes transform in place, others interleave.
  void (*forward)(const PrimeRing& ring, std::uint64_t* poly, std::uint64_t* out,
                  std::size_t stride);
  // Inverts the transform in place, below p, and divides by N.
  void (*inverse)(const PrimeRing& ring, std::uint64_t* poly);
  // Computes x = x * y, coefficient by coefficient, of transformed polynomials below p.
  void (*multiply)(const PrimeRing& ring, std::uint64_t* x, const std::uint64_t* y);
  void (*combine)(const PrimeRing& ring, const Combination& combination);
};

// Transforms a polynomial in X^(N / count), with count a power of two of at most N / kMinRun: its
// `count` coefficients, below 4p, become one value per run, below p.
void forward_runs(const PrimeRing& ring, std::uint64_t* values, std::size_t count);

inline void forward_in_place(const TransformKernels& kernels, const PrimeRing& ring,
                             std::uint64_t* poly) {
  kernels.forward(ring, poly, poly, kLanes);
}

extern const TransformKernels kScalarTransform;
extern const TransformKernels kIfmaTransform;

const TransformKernels& transform_kernels(Isa isa);

}  // namespace pi::he
