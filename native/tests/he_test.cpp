// The transform, and one whole exchange with known weights, without Python.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "he/product.h"
#include "he/response.h"

namespace {

using pi::he::kDegree;

int failures = 0;

void check(bool good, const char* what) {
  if (!good) {
    std::fprintf(stderr, "FAILED: %s\n", what);
    ++failures;
  }
}

// X^(N-1) * X = -1, and every kernel gives the same product.
void test_products(const std::vector<pi::Isa>& paths) {
  for (std::size_t k = 0; k < pi::he::kPrimeCount; ++k) {
    const pi::he::PrimeRing& ring = pi::he::prime_ring(k);
    std::vector<std::uint64_t> x(kDegree), y(kDegree), first(kDegree), out(kDegree);
    x[kDegree - 1] = y[1] = 1;
    for (const pi::Isa isa : paths) {
      pi::he::negacyclic_product(isa, ring, x.data(), y.data(), out.data());
      bool good = out[0] == ring.p - 1;
      for (std::size_t i = 1; i < kDegree; ++i) good = good && out[i] == 0;
      check(good, "X^(N-1) * X = -1");
    }
    for (std::size_t i = 0; i < kDegree; ++i) {
      x[i] = (i * 0x9e3779b97f4a7c15u) % ring.p;
      y[i] = (i * i * 0xd1342543de82ef95u + 1) % ring.p;
    }
    pi::he::negacyclic_product(paths[0], ring, x.data(), y.data(), first.data());
    for (const pi::Isa isa : paths) {
      pi::he::negacyclic_product(isa, ring, x.data(), y.data(), out.data());
      check(out == first, "every instruction set gives the same product");
    }
  }
}

// The longest sum that the kernels promise, of the largest values: kMaxProducts * (-1) * (-1), in
// every output and component.
void test_longest_sum(pi::Isa isa) {
  constexpr std::size_t kInputs = pi::he::kMaxProducts - 1, kLanes = pi::he::kLanes;
  for (std::size_t outputs = 1; outputs <= pi::he::kMaxOutputs; ++outputs) {
    for (std::size_t k = 0; k < pi::he::kPrimeCount; ++k) {
      const pi::he::PrimeRing& ring = pi::he::prime_ring(k);
      const std::vector<std::uint64_t> minus_one(2 * kDegree * pi::he::kMaxOutputs, ring.p - 1);
      std::vector<std::uint64_t> out(outputs * 2 * kLanes);
      pi::he::Combination combination{};
      combination.weights = combination.inputs = minus_one.data();
      combination.blinds = combination.key = minus_one.data();
      combination.input_count = kInputs;
      combination.run_blocks = 1;
      combination.out = out.data();
      combination.out_stride = 2 * kLanes;
      combination.component_stride = kLanes;
      combination.output_count = outputs;
      combination.blocks = 1;
      pi::he::transform_kernels(isa).combine(ring, combination);
      check(out == std::vector<std::uint64_t>(out.size(), kInputs + 1), "the longest sum is exact");
    }
  }
}

// One output channel of two inputs: 3 * r0 - 5 * r1 - mask.
void test_exchange(pi::Isa isa) {
  const std::uint8_t seeds[6][pi::he::kSeedBytes] = {{1}, {2}, {3}, {4}, {5}, {6}};
  std::vector<std::int8_t> secret(kDegree);
  std::vector<std::uint64_t> words(kDegree), key(pi::he::kLoadedWords),
      inputs(pi::he::kLoadedWords);
  pi::he::sample_ternary(isa, seeds[0], words.data(), secret.data());
  std::vector<std::uint8_t> wire(pi::he::kCiphertextBytes);
  pi::he::encrypt(isa, secret.data(), nullptr, 1, 1, seeds[1], seeds[2], wire.data(), 1);
  check(pi::he::load(isa, wire.data(), 1, 1, 1, key.data(), 1), "the public key loads");
  std::vector<std::uint32_t> message(kDegree);
  message[0] = 4000000000u;
  message[1] = 7;
  pi::he::encrypt(isa, secret.data(), message.data(), 1, 1, seeds[3], seeds[4], wire.data(), 1);
  check(pi::he::load(isa, wire.data(), 1, 1, 1, inputs.data(), 1), "the mask loads");

  const std::int16_t weights[2] = {3, -5};
  const std::uint16_t exponents[2] = {0, 2 * kDegree - 1};
  const std::uint16_t positions[1] = {0};
  const std::uint64_t starts[2] = {0, 1};
  const std::uint32_t mask[1] = {12345};
  const pi::he::Released released = {positions, starts, 1};
  pi::he::Request request{};
  request.layout = {weights, exponents, 1, 2, 1, 1, 2, 1, 1, 1};
  request.inputs = inputs.data();
  request.tiles = 1;
  request.public_key = key.data();
  request.seeds = seeds[5];
  request.masks = mask;
  request.released = released;
  std::vector<std::uint8_t> answer(released.offset(1));
  pi::he::respond(isa, request, answer.data(), 1);
  std::uint32_t share = 0;
  check(pi::he::decrypt(isa, secret.data(), answer.data(), released, &share, 1),
        "the answer unpacks");
  check(share == 3 * 4000000000u - 5 * 7 - 12345, "the share is W r - s");

  wire[wire.size() - 1] = 0xff;
  wire[wire.size() - 2] = wire[wire.size() - 3] = wire[wire.size() - 4] = 0xff;
  wire[wire.size() - 5] = wire[wire.size() - 6] = wire[wire.size() - 7] = 0xff;
  check(!pi::he::load(isa, wire.data(), 1, 1, 1, inputs.data(), 1),
        "a residue above its prime is refused");
}

}  // namespace

int main() {
  std::vector<pi::Isa> paths;
  for (const char* name : {"portable", "aesni", "vaes512"}) {
    try {
      paths.push_back(pi::resolve_isa(name));
    } catch (const pi::UnsupportedCpu&) {
      std::printf("%s: not on this processor\n", name);
    }
  }
  test_products(paths);
  for (const pi::Isa isa : paths) {
    test_longest_sum(isa);
    test_exchange(isa);
  }
  return failures == 0 ? 0 : 1;
}
