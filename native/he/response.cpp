#include "he/response.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "he/residues.h"
#include "he/transform.h"
#include "he/wiped_buffer.h"

namespace pi::he {
namespace {

using Words = WipedBuffer<std::uint64_t>;

// Weight polynomials that one pass transforms and uses: few enough to stay in a cache.
constexpr std::size_t kWeightPolys = 128;

// Coefficients of a placed weight polynomial: kernels work on whole vectors.
std::size_t placed_words(const WeightLayout& layout) { return padded(layout.words()); }

// Places the weights of one output polynomial and one input polynomial, as integers.
class Placement {
 public:
  Placement(Isa isa, const WeightLayout& layout)
      : residues_(residue_kernels(isa)),
        layout_(layout),
        length_(kDegree / layout.spread),
        classes_(layout.copies > 1 ? layout.copies * layout.spread * length_ : 0),
        sums_(layout.copies > 1 ? length_ : 0) {}

  // Writes a polynomial for each copy of the input, placed_words() apart: every run-th coefficient;
  // the others are zero.
  void place(std::size_t out_poly, std::size_t in_poly, std::int32_t* polys) {
    if (layout_.copies == 1) {
      std::fill_n(polys, placed_words(layout_), 0);
      // Kernels larger than the image put two weights on one exponent: so they are added.
      for_weights(out_poly, in_poly, [&](std::size_t exponent, std::size_t, std::int32_t weight) {
        polys[exponent % kDegree / layout_.run] += negated(weight, exponent);
      });
      return;
    }
    const std::size_t classes = layout_.copies * layout_.spread;
    classes_.clear();
    for_weights(out_poly, in_poly, [&](std::size_t exponent, std::size_t up, std::int32_t weight) {
      const std::size_t at = exponent + up;
      classes_[exponent % classes * length_ + at % kDegree / layout_.spread] += negated(weight, at);
    });
    for (std::size_t copy = 0; copy < layout_.copies; ++copy) {
      for (std::size_t first = 0; first < layout_.spread; ++first) {
        sum_classes(copy, first);
        for (std::size_t i = 0; i < length_; ++i) {
          polys[copy * kDegree + i * layout_.spread + first] = sums_[i];
        }
      }
    }
  }

 private:
  static std::int32_t negated(std::int32_t weight, std::size_t exponent) {
    const std::int32_t sign = -static_cast<std::int32_t>(exponent >> kDegreeBits & 1);
    return (weight ^ sign) - sign;
  }

  // Calls body(exponent, how much further up this product lies, weight).
  template <class Body>
  void for_weights(std::size_t out_poly, std::size_t in_poly, const Body& body) const {
    const std::size_t channels = layout_.out_block * layout_.copies;
    const std::size_t first_out = out_poly * channels, first_in = in_poly * layout_.in_block;
    const std::size_t outs = std::min(channels, layout_.out_channels - first_out);
    const std::size_t weight_count =
        std::min(layout_.in_block, layout_.in_channels - first_in) * layout_.taps;
    for (std::size_t a = 0; a < outs; ++a) {
      const std::int16_t* weight =
          layout_.weights + ((first_out + a) * layout_.in_channels + first_in) * layout_.taps;
      const std::uint16_t* exponent =
          layout_.exponents + a % layout_.out_block * layout_.in_block * layout_.taps;
      const std::size_t up = a / layout_.out_block * layout_.spread;
      for (std::size_t i = 0; i < weight_count; ++i) body(exponent[i], up, weight[i]);
    }
  }

  // The automorphism of a copy multiplies X^e by a power of X that depends on the class of e alone,
  // which is e modulo copies * spread. So each class is rotated as a whole. Sums the classes whose
  // coefficients lie at `first` modulo the spread.
  void sum_classes(std::size_t copy, std::size_t first) {
    std::fill_n(sums_.data(), length_, 0);
    const std::size_t classes = layout_.copies * layout_.spread;
    for (std::size_t c = first; c < classes; c += layout_.spread) {
      const std::int32_t* const from = classes_.data() + c * length_;
      const std::size_t by = (2 * kDegree / classes * copy * c) % (2 * kDegree) / layout_.spread;
      const std::size_t shift = by % length_;
      if (by < length_) {
        residues_.add_small(from, length_ - shift, sums_.data() + shift);
        residues_.subtract_small(from + length_ - shift, shift, sums_.data());
      } else {
        residues_.subtract_small(from, length_ - shift, sums_.data() + shift);
        residues_.add_small(from + length_ - shift, shift, sums_.data());
      }
    }
  }
  const ResidueKernels& residues_;
  const WeightLayout& layout_;
  std::size_t length_;  // coefficients at one place modulo the spread
  WipedBuffer<std::int32_t> classes_, sums_;
};

// Transforms weight polynomials and interleaves those of one output polynomial.
class WeightTransform {
 public:
  explicit WeightTransform(Isa isa)
      : transform_(transform_kernels(isa)), residues_(residue_kernels(isa)), poly_(kDegree) {}

  // placed: of place_weights. out: of one output polynomial and prime, as transform_weights has it.
  void transform(const WeightLayout& layout, const PrimeRing& ring, const std::int32_t* placed,
                 std::size_t operand, std::uint64_t* out) {
    const std::size_t operands = layout.operands();
    residues_.lift(ring.p, placed, placed_words(layout), poly_.data());
    if (layout.run == 1) {
      transform_.forward(ring, poly_.data(), out + operand * kLanes, operands * kLanes);
      return;
    }
    forward_runs(ring, poly_.data(), layout.words());
    for (std::size_t i = 0; i < layout.words(); ++i) out[i * operands + operand] = poly_[i];
  }

 private:
  const TransformKernels& transform_;
  const ResidueKernels& residues_;
  Words poly_;
};

// Writes answers as they are sent, at `offsets`.
struct PackedAnswers {
  const ResidueKernels& residues;
  const Released& released;
  const std::size_t* offsets;
  std::uint8_t* out;

  void put(std::size_t n, const std::uint64_t* c1, const std::uint64_t* c0) const {
    residues.pack(c1, kDegree, out + offsets[n]);
    residues.pack(c0, released.size(n), out + offsets[n] + kPackedPolyBytes);
  }
};

struct UnpackedAnswers {
  const Released& released;
  std::uint64_t *c1, *c0;

  void put(std::size_t n, const std::uint64_t* from1, const std::uint64_t* from0) const {
    std::copy_n(from1, kDegree, c1 + n * kDegree);
    std::copy_n(from0, released.size(n), c0 + (released.starts[n] - released.starts[0]));
  }
};

// Up to kMaxOutputs output polynomials of every tile at a time.
class Responder {
 public:
  Responder(Isa isa, const Request& request, std::size_t outputs)
      : isa_(isa),
        transform_(transform_kernels(isa)),
        residue_kernels_(residue_kernels(isa)),
        request_(request),
        operands_(request.layout.operands()),
        poly_words_(operands_ * kDegree),
        weight_words_(operands_ * request.layout.words()),
        placed_words_(placed_words(request.layout)),
        placement_(isa, request.layout),
        weight_transform_(isa),
        placed_(request.prepared == nullptr ? outputs * operands_ * placed_words_ : 0),
        weights_(request.prepared == nullptr ? outputs * weight_words_ : 0),
        blinds_(outputs * kDegree),
        residues_(request.tiles * outputs * kLoadedWords),
        u_(request.tiles * outputs * kDegree),
        e2_(request.tiles * outputs * kDegree),
        words_(2 * kDegree),
        c1_(kDegree),
        released_(kPrimeCount * kDegree),
        plain_(kDegree) {}

  template <class Answers>
  void respond(std::size_t first, std::size_t outputs, const Answers& answers) {
    for (std::size_t tile = 0; tile < request_.tiles; ++tile) {
      for (std::size_t o = 0; o < outputs; ++o) {
        const std::size_t at = (tile * outputs + o) * kDegree;
        sample_blind(isa_, request_.seeds + index(tile, first + o) * kSeedBytes, words_.data(),
                     u_.data() + at, e2_.data() + at);
      }
    }
    if (request_.prepared == nullptr) {
      const std::size_t in_polys = request_.layout.in_polys();
      for (std::size_t n = 0; n < outputs * in_polys; ++n) {
        placement_.place(first + n / in_polys, n % in_polys,
                         placed_.data() + n * request_.layout.copies * placed_words_);
      }
    }
    for (std::size_t k = 0; k < kPrimeCount; ++k) multiply(first, outputs, k);
    for (std::size_t tile = 0; tile < request_.tiles; ++tile) {
      for (std::size_t o = 0; o < outputs; ++o) {
        finish(tile * outputs + o, index(tile, first + o), answers);
      }
    }
  }

 private:
  std::size_t index(std::size_t tile, std::size_t out_poly) const {
    return tile * request_.layout.out_polys() + out_poly;
  }

  // residues = sum of weights * inputs + u * public key, modulo prime k, in coefficient form.
  void multiply(std::size_t first, std::size_t outputs, std::size_t k) {
    const PrimeRing& ring = prime_ring(k);
    Combination combination{};
    if (request_.prepared != nullptr) {
      combination.weights = request_.prepared + (first * kPrimeCount + k) * weight_words_;
      combination.weight_stride = kPrimeCount * weight_words_;
    } else {
      for (std::size_t n = 0; n < outputs * operands_; ++n) {
        weight_transform_.transform(request_.layout, ring, placed_.data() + n * placed_words_,
                                    n % operands_, weights_.data() + n / operands_ * weight_words_);
      }
      combination.weights = weights_.data();
      combination.weight_stride = weight_words_;
    }
    combination.run_blocks = std::max(request_.layout.run / kLanes, std::size_t{1});
    combination.input_count = operands_;
    combination.blinds = blinds_.data();
    combination.key = request_.public_key + k * 2 * kDegree;
    combination.out_stride = kLoadedWords;
    combination.component_stride = kPrimeCount * kDegree;
    combination.output_count = outputs;
    combination.blocks = kLaneBlocks;
    for (std::size_t tile = 0; tile < request_.tiles; ++tile) {
      for (std::size_t o = 0; o < outputs; ++o) {
        std::uint64_t* const blind = blinds_.data() + o * kDegree;
        residue_kernels_.lift_bytes(ring.p, u_.data() + (tile * outputs + o) * kDegree, kDegree,
                                    blind);
        forward_in_place(transform_, ring, blind);
      }
      combination.inputs = request_.inputs + tile * operands_ * kLoadedWords + k * 2 * poly_words_;
      combination.out = residue(tile * outputs, 0, k);
      transform_.combine(ring, combination);
      for (std::size_t o = 0; o < outputs; ++o) {
        transform_.inverse(ring, residue(tile * outputs + o, 0, k));
        transform_.inverse(ring, residue(tile * outputs + o, 1, k));
      }
    }
  }

  // Adds e2 to c1; releases c0 with the mask taken off and the flood added; switches down.
  // `slot`: which of the polynomials here, n: which of the answers.
  template <class Answers>
  void finish(std::size_t slot, std::size_t n, const Answers& answers) {
    for (std::size_t k = 0; k < kPrimeCount; ++k) {
      residue_kernels_.add_bytes(kPrimes[k], e2_.data() + slot * kDegree, kDegree,
                                 residue(slot, 1, k));
    }
    residue_kernels_.switch_down(switch_constants(), residue(slot, 1, 0), residue(slot, 1, 1),
                                 residue(slot, 1, 2), kDegree, c1_.data());

    const std::uint64_t first = request_.released.starts[n];
    const std::size_t size = request_.released.size(n), count = padded(size);
    const std::uint16_t* const positions = request_.released.positions + first;
    const std::uint32_t* const masks = request_.masks + (first - request_.released.starts[0]);
    for (std::size_t i = 0; i < size; ++i) plain_[i] = 0u - masks[i];
    sample_flood(isa_, request_.seeds + n * kSeedBytes, count, words_.data());
    for (std::size_t k = 0; k < kPrimeCount; ++k) {
      const PrimeRing& ring = prime_ring(k);
      std::uint64_t* const sum = released_.data() + k * kDegree;
      std::uint64_t* const c0 = residue(slot, 0, k);
      std::uint64_t* const term = residue(slot, 1, k);  // c1 has left
      for (std::size_t i = 0; i < size; ++i) sum[i] = c0[positions[i]];
      residue_kernels_.encode(ring, plain_.data(), count, term);
      residue_kernels_.add(ring.p, term, count, sum);
      residue_kernels_.flood(ring, words_.data(), count, term);
      residue_kernels_.add(ring.p, term, count, sum);
    }
    residue_kernels_.switch_down(switch_constants(), released_.data(), released_.data() + kDegree,
                                 released_.data() + 2 * kDegree, count, words_.data());
    answers.put(n, c1_.data(), words_.data());
  }

  std::uint64_t* residue(std::size_t slot, std::size_t component, std::size_t k) {
    return residues_.data() + slot * kLoadedWords + (component * kPrimeCount + k) * kDegree;
  }

  Isa isa_;
  const TransformKernels& transform_;
  const ResidueKernels& residue_kernels_;
  const Request& request_;
  std::size_t operands_, poly_words_, weight_words_, placed_words_;
  Placement placement_;
  WeightTransform weight_transform_;
  WipedBuffer<std::int32_t> placed_;
  Words weights_, blinds_, residues_;
  WipedBuffer<std::int8_t> u_, e2_;
  Words words_, c1_, released_;
  WipedBuffer<std::uint32_t> plain_;
};

template <class Answers>
void respond_all(Isa isa, const Request& request, const Answers& answers, int threads) {
  const std::size_t operands = request.layout.operands(), out_polys = request.layout.out_polys();
  const bool small = request.prepared != nullptr || request.layout.run > 1;
  const std::size_t outputs = std::clamp(small ? kMaxOutputs : kWeightPolys / operands,
                                         std::size_t{1}, std::min(kMaxOutputs, out_polys));
  const std::size_t groups = (out_polys + outputs - 1) / outputs;
  parallel_for(groups, threads, 1, [&](std::size_t begin, std::size_t end) {
    Responder responder(isa, request, outputs);
    for (std::size_t group = begin; group < end; ++group) {
      const std::size_t first = group * outputs;
      responder.respond(first, std::min(outputs, out_polys - first), answers);
    }
  });
}

}  // namespace

void transform_weights(Isa isa, const WeightLayout& layout, std::uint64_t* out, int threads) {
  const std::size_t in_polys = layout.in_polys(), weight_words = layout.operands() * layout.words();
  parallel_for(layout.out_polys() * in_polys, threads, 1, [&](std::size_t begin, std::size_t end) {
    Placement placement(isa, layout);
    WeightTransform transform(isa);
    WipedBuffer<std::int32_t> placed(layout.copies * kDegree);
    for (std::size_t n = begin; n < end; ++n) {
      placement.place(n / in_polys, n % in_polys, placed.data());
      for (std::size_t k = 0; k < kPrimeCount; ++k) {
        for (std::size_t copy = 0; copy < layout.copies; ++copy) {
          transform.transform(layout, prime_ring(k), placed.data() + copy * kDegree,
                              n % in_polys * layout.copies + copy,
                              out + (n / in_polys * kPrimeCount + k) * weight_words);
        }
      }
    }
  });
}

void respond(Isa isa, const Request& request, std::uint8_t* out, int threads) {
  std::vector<std::size_t> offsets(request.released.count);
  for (std::size_t n = 0, at = 0; n < offsets.size(); ++n) {
    offsets[n] = at;
    at += kPackedPolyBytes + packed_bytes(request.released.size(n));
  }
  respond_all(isa, request,
              PackedAnswers{residue_kernels(isa), request.released, offsets.data(), out}, threads);
}

void respond_unpacked(Isa isa, const Request& request, std::uint64_t* c1, std::uint64_t* c0,
                      int threads) {
  respond_all(isa, request, UnpackedAnswers{request.released, c1, c0}, threads);
}

}  // namespace pi::he
