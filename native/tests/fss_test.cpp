// An FSS gadget from the request to the result, without Python: every path and kind against its
// law.
#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "fss/steps.h"
#include "symmetric/symmetric.h"

namespace {

using pi::fss::Kind;
using pi::fss::Layout;
using pi::fss::Party;
using pi::fss::Spec;
using Bytes = std::vector<std::uint8_t>;
using Words = std::vector<std::uint32_t>;

constexpr std::size_t kGroups = 3;
constexpr std::size_t kCount = kGroups * pi::kLanes;

// Deterministic test material: a generator under a seed that names its use.
template <class T>
std::vector<T> material(std::uint8_t use, std::size_t count) {
  std::vector<T> out(count);
  const std::uint8_t seed[16] = {use, 0xf5};
  pi::prg(pi::Isa::kPortable, seed, 0, reinterpret_cast<std::uint8_t*>(out.data()),
          count * sizeof(T));
  return out;
}

// Ideal correlated OTs: the labels of the packed choices.
Bytes active_labels(const Bytes& zero, const Words& choices, const Bytes& delta) {
  Bytes active = zero;
  for (std::size_t label = 0; label < pi::kLanes * choices.size(); ++label) {
    if ((choices[label / pi::kLanes] >> (label % pi::kLanes) & 1) == 0) continue;
    for (std::size_t i = 0; i < 16; ++i) {
      std::uint8_t& byte = active[16 * label + i];
      byte = static_cast<std::uint8_t>(byte ^ delta[i]);
    }
  }
  return active;
}

std::int32_t law(const Spec& spec, std::int64_t x, std::uint32_t v) {
  const std::int64_t value = x + spec.offset;
  const auto quotient = [&](int bits) {
    const std::int64_t low = (std::int64_t{1} << bits) - 1;
    return (value >> bits) - std::int64_t{!spec.exact && (value & low) < (v & low)};
  };
  const std::int64_t y = quotient(spec.truncate_bits);
  if (spec.kind == Kind::kTruncate) return static_cast<std::int32_t>(y);
  // The window is signed, so its top bit says whether the result is 0.
  const int cut = spec.truncate_bits + spec.sign_drop;
  const bool negative = (quotient(cut) >> (spec.window_bits - cut) & 1) != 0;
  const std::int64_t window = (std::int64_t{2} << (spec.window_bits - spec.truncate_bits)) - 1;
  return negative ? 0 : static_cast<std::int32_t>(y & window);
}

int wrong_results(pi::Isa isa, const Spec& spec) {
  const Layout layout = pi::fss::layout_of(spec);
  const pi::fss::Call call{isa, spec, 7, 11, kGroups, 2};
  const auto planes = [](int count) { return kGroups * static_cast<std::size_t>(count); };

  Bytes server_delta = material<std::uint8_t>(1, 16);
  Bytes client_delta = material<std::uint8_t>(2, 16);
  server_delta[0] |= 1;
  client_delta[0] &= 0xfe;
  const Bytes seed = material<std::uint8_t>(3, 16);
  const Words v = material<std::uint32_t>(4, kCount);
  const Words next_mask = material<std::uint32_t>(5, kCount);
  const Words choices = material<std::uint32_t>(6, planes(layout.choice_ots));
  const Words server_bits = material<std::uint32_t>(7, planes(layout.server_bits));
  const Words client_bits = material<std::uint32_t>(8, planes(layout.client_bits));
  Words x = material<std::uint32_t>(9, kCount);
  Words u(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    const int window = spec.kind == Kind::kRelu ? spec.window_bits : 29;
    const int size = 31 - window + (i % 2 == 0 ? 0 : 8);  // in the window, and near zero
    x[i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(x[i]) >> size);
    u[i] = x[i] - v[i];
  }
  Words path(planes(layout.request_ots));
  pi::fss::request_choices(call, v.data(), client_bits.data(), path.data());
  const Bytes zero_choices = material<std::uint8_t>(10, 512 * choices.size());
  const Bytes zero_path = material<std::uint8_t>(11, 512 * path.size());
  const Bytes active_choices = active_labels(zero_choices, choices, client_delta);
  const Bytes active_path = active_labels(zero_path, path, server_delta);

  Bytes corrections(kGroups * layout.correction_group_bytes);
  Bytes opening(kGroups * layout.opening_group_bytes);
  Bytes state[2] = {Bytes(kGroups * layout.server_state_group_bytes),
                    Bytes(kGroups * layout.client_state_group_bytes)};
  Bytes scratch[2] = {Bytes(kGroups * layout.scratch_group_bytes),
                      Bytes(kGroups * layout.scratch_group_bytes)};
  Bytes bundle[2] = {Bytes(kGroups * layout.bundle_group_bytes[1]),
                     Bytes(kGroups * layout.bundle_group_bytes[1])};
  pi::fss::request(call, {client_delta.data(), seed.data(), v.data(), client_bits.data(),
                          zero_choices.data(), active_path.data(), corrections.data(),
                          state[1].data(), scratch[1].data(), bundle[1].data()});
  pi::fss::answer(call, {server_delta.data(), seed.data(), choices.data(), server_bits.data(),
                         active_choices.data(), zero_path.data(), corrections.data(),
                         opening.data(), state[0].data(), scratch[0].data(), bundle[0].data()});
  pi::fss::accept_opening(call, {opening.data(), state[1].data()});
  for (int level = 1; level <= layout.bundle_count; ++level) {
    const std::size_t bytes =
        level < layout.bundle_count ? layout.bundle_group_bytes[level + 1] : 0;
    Bytes next[2] = {Bytes(kGroups * bytes), Bytes(kGroups * bytes)};
    for (const Party party : {Party::kServer, Party::kClient}) {
      const int own = party == Party::kServer ? 0 : 1;
      const Bytes& delta = own == 0 ? server_delta : client_delta;
      pi::fss::grow(call, {party, delta.data(), seed.data(), level, bundle[1 - own].data(),
                           state[own].data(), scratch[own].data(), next[own].data()});
    }
    std::swap(bundle, next);
  }

  Bytes message(kGroups * layout.online_group_bytes);
  Bytes kept(kGroups * layout.kept_group_bytes);
  Words z(kCount);
  Words answer(planes(layout.answer_words));
  Words share(kCount);
  pi::fss::encode(call, {server_delta.data(), seed.data(), state[0].data(), u.data(),
                         message.data(), kept.data()});
  pi::fss::evaluate(call, {client_delta.data(), seed.data(), state[1].data(), message.data(),
                           next_mask.data(), z.data(), answer.data()});
  pi::fss::finish(call, {kept.data(), z.data(), answer.data(), share.data()});
  // A state serves once, and a refused call changes no message.
  const Bytes sent = message;
  int wrong = 1;
  try {
    pi::fss::encode(call, {server_delta.data(), seed.data(), state[0].data(), v.data(),
                           message.data(), kept.data()});
  } catch (const std::invalid_argument&) {
    wrong = message == sent ? 0 : 1;
  }
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto y = static_cast<std::int32_t>(share[i] + next_mask[i]);
    wrong += y != law(spec, static_cast<std::int32_t>(x[i]), v[i]);
  }
  return wrong;
}

}  // namespace

int main() {
  const Spec specs[] = {
      {Kind::kRelu, 12, 12, false, 4095, 0}, {Kind::kRelu, 12, 19, false, 4095, 1},
      {Kind::kRelu, 12, 23, false, 4095, 1}, {Kind::kRelu, 12, 28, false, 4095, 1},
      {Kind::kRelu, 12, 23, false, 4095, 5}, {Kind::kRelu, 12, 23, true, 2048, 0},
      {Kind::kRelu, 3, 9, true, 4, 0},       {Kind::kTruncate, 12, 31, true, 2048, 0},
      {Kind::kTruncate, 3, 31, true, 4, 0},
  };
  int failures = 0;
  for (const char* name : {"portable", "aesni", "vaes512"}) {
    pi::Isa isa;
    try {
      isa = pi::resolve_isa(name);
    } catch (const pi::UnsupportedCpu&) {
      continue;
    }
    for (const Spec& spec : specs) {
      const int wrong = wrong_results(isa, spec);
      if (wrong == 0) continue;
      std::fprintf(stderr, "FAILED: %s %s%s, bits %d to %d: %d wrong results\n", name,
                   spec.kind == Kind::kRelu ? "relu" : "truncate", spec.exact ? " exact" : "",
                   spec.truncate_bits, spec.window_bits, wrong);
      ++failures;
    }
  }
  return failures == 0 ? 0 : 1;
}
