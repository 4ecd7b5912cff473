// A gadget from garbling to the result, without Python: every path and kind against its law.
#include "garble/gadget.h"

#include <cstdio>
#include <vector>

#include "symmetric/symmetric.h"

namespace {

constexpr std::size_t kGroups = 3;
constexpr std::size_t kCount = kGroups * pi::kLanes;

// Deterministic test material: a generator under a seed that names its use.
template <class T>
std::vector<T> material(std::uint8_t use, std::size_t count) {
  std::vector<T> out(count);
  const std::uint8_t seed[16] = {use, 0x5a};
  pi::prg(pi::Isa::kPortable, seed, 0, reinterpret_cast<std::uint8_t*>(out.data()),
          count * sizeof(T));
  return out;
}

std::int64_t law(const pi::GadgetSpec& spec, std::int64_t x, std::uint32_t v) {
  const std::int64_t value = x + spec.offset;
  const std::int64_t low = (std::int64_t{1} << spec.truncate_bits) - 1;
  const std::int64_t carry = !spec.exact && (value & low) < (v & low) ? 1 : 0;
  const std::int64_t quotient = (value >> spec.truncate_bits) - carry;
  return spec.kind == pi::GadgetKind::kRelu && quotient < 0 ? 0 : quotient;
}

int wrong_results(pi::Isa isa, const pi::GadgetSpec& spec) {
  const pi::GadgetLayout layout = pi::layout_of(spec);
  const pi::GadgetCall call{isa, spec, 7, 11, kGroups, 2};
  const auto ots = static_cast<std::size_t>(layout.label_ots);

  auto delta = material<std::uint8_t>(1, 16);
  delta[0] |= 1;
  const auto hash_seed = material<std::uint8_t>(2, 16);
  const auto label_seed = material<std::uint8_t>(3, 16);
  const auto v = material<std::uint32_t>(4, kCount);
  const auto alpha = material<std::uint32_t>(5, kCount);
  const auto select = material<std::uint8_t>(6, kCount);
  const auto next_mask = material<std::uint32_t>(7, kCount);
  const auto zero = material<std::uint8_t>(8, kCount * ots * pi::kBlockBytes);
  std::vector<std::uint32_t> x = material<std::uint32_t>(9, kCount);
  std::vector<std::uint32_t> u(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    x[i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(x[i]) >> (i % 2 == 0 ? 13 : 22));
    u[i] = x[i] - v[i];
  }

  std::vector<std::uint32_t> choices(kGroups * ots);
  pi::choice_bits(call, v.data(), choices.data());
  std::vector<std::uint8_t> active = zero;
  for (std::size_t label = 0; label < kCount * ots; ++label) {
    if ((choices[label / pi::kLanes] >> (label % pi::kLanes) & 1) == 0) continue;
    for (std::size_t i = 0; i < 16; ++i) {
      std::uint8_t& byte = active[16 * label + i];
      byte = static_cast<std::uint8_t>(byte ^ delta[i]);
    }
  }
  std::vector<std::uint32_t> beta(kCount);
  pi::correlation(call, v.data(), beta.data());
  for (std::size_t i = 0; i < kCount; ++i) beta[i] = (select[i] & 1u) * beta[i] - alpha[i];

  std::vector<std::uint8_t> garbled(kGroups * layout.garbled_group_bytes);
  std::vector<std::uint8_t> state(kGroups * layout.state_group_bytes);
  std::vector<std::uint8_t> message(kGroups * layout.online_group_bytes);
  std::vector<std::uint32_t> out_mask(kCount);
  std::vector<std::uint32_t> z(kCount);
  pi::garble(call, {delta.data(), hash_seed.data(), label_seed.data(), zero.data(), select.data(),
                    alpha.data(), garbled.data(), state.data()});
  pi::accept(call, {hash_seed.data(), v.data(), active.data(), garbled.data()});
  pi::encode(call, {delta.data(), label_seed.data(), state.data(), u.data(), message.data(),
                    out_mask.data()});
  pi::evaluate(call, {hash_seed.data(), v.data(), beta.data(), active.data(), garbled.data(),
                      message.data(), next_mask.data(), z.data()});
  int wrong = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::uint32_t y = z[i] - out_mask[i] + next_mask[i];
    const auto expected = law(spec, static_cast<std::int32_t>(x[i]), v[i]);
    wrong += static_cast<std::int32_t>(y) != expected;
  }
  return wrong;
}

}  // namespace

int main() {
  int failures = 0;
  for (const char* name : {"portable", "aesni", "vaes512"}) {
    pi::Isa isa;
    try {
      isa = pi::resolve_isa(name);
    } catch (const pi::UnsupportedCpu&) {
      continue;
    }
    for (const auto kind : {pi::GadgetKind::kRelu, pi::GadgetKind::kTruncate}) {
      for (const bool exact : {false, true}) {
        for (const int chunk : {1, 2, 3, 4}) {
          for (const auto garbling : {pi::Garbling::kHalfGates, pi::Garbling::kThreeHalves}) {
            const int wrong = wrong_results(
                isa, {kind, 12, 23, exact, exact ? 2048u : 4095u, 0, chunk, garbling});
            if (wrong == 0) continue;
            std::fprintf(
                stderr, "FAILED: %s %s%s, chunks of %d, %s: %d wrong results\n", name,
                kind == pi::GadgetKind::kRelu ? "relu" : "truncate", exact ? " exact" : "", chunk,
                garbling == pi::Garbling::kHalfGates ? "half gates" : "three halves", wrong);
            ++failures;
          }
        }
      }
    }
  }
  return failures == 0 ? 0 : 1;
}
