// Applies a linear map to ciphertexts and makes an answer that reveals nothing else about the map.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/isa.h"
#include "he/ciphertext.h"

namespace pi::he {

// Holds weights (out, in, taps) and says how they become polynomials. Polynomial (o, i) holds the
// channels [o * out_block, ...) x [i * in_block, ...), the weight of local channels (a, b) and tap
// k at the exponent exponents[a][b][k] below 2N, where N + e means -X^e. All exponents are
// multiples of `run`: 1, or a power of two of at least kMinRun.
//
// With `copies` above 1, each input polynomial has that many copies (copies.h), and one output
// polynomial holds the output channels of `copies` neighboring ones, `spread` coefficients apart.
struct WeightLayout {
  const std::int16_t* weights;
  const std::uint16_t* exponents;
  std::size_t out_channels, in_channels, taps, out_block, in_block, run, copies, spread;

  std::size_t out_polys() const {
    const std::size_t channels = out_block * copies;
    return (out_channels + channels - 1) / channels;
  }
  std::size_t in_polys() const { return (in_channels + in_block - 1) / in_block; }
  // Returns the polynomials that one output polynomial multiplies: all copies of the input.
  std::size_t operands() const { return in_polys() * copies; }
  // Returns the words of a weight polynomial, transformed modulo one prime: one value per run.
  std::size_t words() const { return kDegree / run; }
};

// Transforms all weight polynomials: [out_poly][prime][block][operand][kLanes] words, or
// [out_poly][prime][run][operand]. Operand i * copies + c is copy c of input polynomial i.
void transform_weights(Isa isa, const WeightLayout& layout, std::uint64_t* out, int threads);

struct Request {
  WeightLayout layout;
  const std::uint64_t* prepared;  // of transform_weights, or nullptr: made as they are needed
  const std::uint64_t* inputs;    // loaded ciphertexts and their copies, one group per tile
  std::size_t tiles;
  const std::uint64_t* public_key;  // a loaded ciphertext of zero
  const std::uint8_t* seeds;        // [tile][out_poly], fresh, secret
  const std::uint32_t* masks;       // subtracted, in the order of the released coefficients
  Released released;                // [tile][out_poly]
};

// Writes the answer: released.offset(released.count) bytes. The time depends on the shapes alone.
void respond(Isa isa, const Request& request, std::uint8_t* out, int threads);

// Writes the same answers unpacked, for join(): c1 has N residues for each of them, c0 the released
// coefficients in order.
void respond_unpacked(Isa isa, const Request& request, std::uint64_t* c1, std::uint64_t* c0,
                      int threads);

}  // namespace pi::he
