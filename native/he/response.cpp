#include "he/response.h"

#include <algorithm>

#include "base/parallel.h"
#include "he/scaling.h"
#include "he/transform.h"
#include "he/wiped_buffer.h"

namespace pi::he {
namespace {

using Words = WipedBuffer<std::uint64_t>;

// Weight polynomials that are transformed before they meet the ciphertexts: few enough to stay in
// the second-level cache beside the sums.
constexpr std::size_t kGroup = 4;

void transform_weight(const TransformKernels& kernels, const PrimeRing& ring,
                      const WeightLayout& layout, std::size_t out_poly, std::size_t in_poly,
                      std::uint64_t* poly) {
  std::fill_n(poly, kDegree, 0);
  const std::size_t first_out = out_poly * layout.out_block, first_in = in_poly * layout.in_block;
  const std::size_t outs = std::min(layout.out_block, layout.out_channels - first_out);
  const std::size_t run = std::min(layout.in_block, layout.in_channels - first_in) * layout.taps;
  for (std::size_t a = 0; a < outs; ++a) {
    const std::int16_t* weight =
        layout.weights + ((first_out + a) * layout.in_channels + first_in) * layout.taps;
    const std::uint16_t* exponent = layout.exponents + a * layout.in_block * layout.taps;
    for (std::size_t i = 0; i < run; ++i) {
      const std::int64_t sign = -static_cast<std::int64_t>(exponent[i] >> kDegreeBits);
      // Kernels larger than the image put two weights on one exponent: so they are added.
      poly[exponent[i] % kDegree] += static_cast<std::uint64_t>((weight[i] ^ sign) - sign);
    }
  }
  for (std::size_t i = 0; i < kDegree; ++i)
    poly[i] = lift(static_cast<std::int64_t>(poly[i]), ring.p);
  kernels.forward(ring, poly);
}

// One output polynomial of every tile.
class Responder {
 public:
  Responder(Isa isa, const Request& request)
      : isa_(isa),
        kernels_(transform_kernels(isa)),
        request_(request),
        weights_(kGroup * kDegree),
        sums_(request.tiles * 2 * kSumWords),
        residues_(request.tiles * kLoadedWords),
        words_(kDegree),
        u_(request.tiles * kDegree),
        e2_(request.tiles * kDegree),
        flood_(request.tiles * 2 * kDegree) {}

  void respond(std::size_t out_poly, std::uint8_t* out) {
    for (std::size_t tile = 0; tile < request_.tiles; ++tile) {
      const std::size_t n = index(tile, out_poly);
      sample_response_noise(isa_, request_.seeds + n * kSeedBytes, 2 * request_.released.size(n),
                            words_.data(), u_.data() + tile * kDegree, e2_.data() + tile * kDegree,
                            flood_.data() + tile * 2 * kDegree);
    }
    for (std::size_t k = 0; k < kPrimeCount; ++k) multiply(out_poly, k);
    for (std::size_t tile = 0; tile < request_.tiles; ++tile) {
      finish(tile, index(tile, out_poly), out + request_.released.offset(index(tile, out_poly)));
    }
  }

 private:
  static constexpr std::size_t kSumWords = 2 * kDegree;
  static constexpr std::size_t kComponentWords = kPrimeCount * kDegree;

  std::size_t index(std::size_t tile, std::size_t out_poly) const {
    return tile * request_.layout.out_polys() + out_poly;
  }

  // residues = sum of weights * inputs + u * public key, modulo prime k, in coefficient form.
  void multiply(std::size_t out_poly, std::size_t k) {
    const PrimeRing& ring = prime_ring(k);
    const std::size_t in_polys = request_.layout.in_polys();
    sums_.clear();
    for (std::size_t first = 0; first < in_polys; first += kGroup) {
      const std::size_t count = std::min(kGroup, in_polys - first);
      const std::uint64_t* weights = weights_.data();
      std::size_t stride = kDegree;
      if (request_.prepared != nullptr) {
        stride = kPrimeCount * kDegree;
        weights = request_.prepared + (out_poly * in_polys + first) * stride + k * kDegree;
      } else {
        for (std::size_t i = 0; i < count; ++i) {
          transform_weight(kernels_, ring, request_.layout, out_poly, first + i,
                           weights_.data() + i * kDegree);
        }
      }
      for (std::size_t tile = 0; tile < request_.tiles; ++tile) {
        const std::uint64_t* inputs =
            request_.inputs + (tile * in_polys + first) * kLoadedWords + k * kDegree;
        kernels_.multiply_add_pair(sum(tile, 0), weights, stride, inputs, kLoadedWords,
                                   kComponentWords, count);
      }
    }
    for (std::size_t tile = 0; tile < request_.tiles; ++tile) {
      for (std::size_t i = 0; i < kDegree; ++i) words_[i] = lift(u_[tile * kDegree + i], ring.p);
      kernels_.forward(ring, words_.data());
      kernels_.multiply_add_pair(sum(tile, 0), words_.data(), 0, request_.public_key + k * kDegree,
                                 0, kComponentWords, 1);
      for (std::size_t component = 0; component < 2; ++component) {
        kernels_.reduce(ring, sum(tile, component), residue(tile, component, k));
        kernels_.inverse(ring, residue(tile, component, k));
      }
    }
  }

  // Adds e2 to c1; releases c0 with the mask taken off and the flood added; switches down; packs.
  void finish(std::size_t tile, std::size_t n, std::uint8_t* out) {
    const Switch& constants = switch_constants();
    for (std::size_t i = 0; i < kDegree; ++i) {
      std::uint64_t x[kPrimeCount];
      for (std::size_t k = 0; k < kPrimeCount; ++k) {
        x[k] =
            add_mod(residue(tile, 1, k)[i], lift(e2_[tile * kDegree + i], kPrimes[k]), kPrimes[k]);
      }
      words_[i] = switch_down(constants, x[0], x[1], x[2]);
    }
    pack(words_.data(), kDegree, out);
    const std::uint64_t first = request_.released.starts[n];
    const std::size_t size = request_.released.size(n);
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t position = request_.released.positions[first + i];
      const std::uint32_t negated = 0u - request_.masks[first + i - request_.released.starts[0]];
      const std::uint64_t* flood = flood_.data() + 2 * (tile * kDegree + i);
      std::uint64_t x[kPrimeCount];
      for (std::size_t k = 0; k < kPrimeCount; ++k) {
        const PrimeRing& ring = prime_ring(k);
        const std::uint64_t added =
            add_mod(encode(ring, negated), flood_modulo(ring, flood), ring.p);
        x[k] = add_mod(residue(tile, 0, k)[position], added, ring.p);
      }
      words_[i] = switch_down(constants, x[0], x[1], x[2]);
    }
    pack(words_.data(), size, out + kPackedPolyBytes);
  }

  std::uint64_t* sum(std::size_t tile, std::size_t component) {
    return sums_.data() + (tile * 2 + component) * kSumWords;
  }
  std::uint64_t* residue(std::size_t tile, std::size_t component, std::size_t k) {
    return residues_.data() + tile * kLoadedWords + (component * kPrimeCount + k) * kDegree;
  }

  Isa isa_;
  const TransformKernels& kernels_;
  const Request& request_;
  Words weights_, sums_, residues_, words_;
  WipedBuffer<std::int8_t> u_, e2_;
  Words flood_;
};

}  // namespace

void prepare_weights(Isa isa, const WeightLayout& layout, std::uint64_t* out, int threads) {
  const TransformKernels& kernels = transform_kernels(isa);
  const std::size_t in_polys = layout.in_polys();
  parallel_for(layout.out_polys() * in_polys, threads, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t n = begin; n < end; ++n) {
      for (std::size_t k = 0; k < kPrimeCount; ++k) {
        transform_weight(kernels, prime_ring(k), layout, n / in_polys, n % in_polys,
                         out + (n * kPrimeCount + k) * kDegree);
      }
    }
  });
}

void respond(Isa isa, const Request& request, std::uint8_t* out, int threads) {
  parallel_for(request.layout.out_polys(), threads, 1, [&](std::size_t begin, std::size_t end) {
    Responder responder(isa, request);
    for (std::size_t out_poly = begin; out_poly < end; ++out_poly) responder.respond(out_poly, out);
  });
}

}  // namespace pi::he
