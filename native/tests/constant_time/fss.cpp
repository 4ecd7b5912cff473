// Runs every step of FSS gadgets with all secrets marked as undefined memory. Under valgrind's
// memcheck, each branch and each index that depends on a secret is then an error. Messages are
// marked as defined again. The one exception is in public_indices.supp.
#include "fss/steps.h"
#include "secret.h"

namespace {

using pi::constant_time::Bytes;
using pi::constant_time::publish;
using pi::constant_time::secret;
using pi::constant_time::Words;
using pi::fss::Call;
using pi::fss::Kind;
using pi::fss::Layout;
using pi::fss::Party;
using pi::fss::Spec;

constexpr std::size_t kGroups = 2;

void run(pi::Isa isa, const Spec& spec) {
  const Layout layout = pi::fss::layout_of(spec);
  const Call call{isa, spec, 7, 11, kGroups, 1};
  const auto planes = [](int count) { return kGroups * static_cast<std::size_t>(count); };
  const auto labels = [&](int count) { return secret<std::uint8_t>(512 * planes(count)); };
  const auto deltas = {secret<std::uint8_t>(16, 0xfe, 1), secret<std::uint8_t>(16, 0xfe)};
  const Bytes* const delta = deltas.begin();
  const Bytes seed(16, 0x5a);
  const Words v = secret<std::uint32_t>(kGroups * pi::kLanes);
  const Words u = secret<std::uint32_t>(v.size());
  const Words next_mask = secret<std::uint32_t>(v.size());
  const Words choices = secret<std::uint32_t>(planes(layout.choice_ots));
  const Words server_bits = secret<std::uint32_t>(planes(layout.server_bits));
  const Words client_bits = secret<std::uint32_t>(planes(layout.client_bits));
  Words path(planes(layout.request_ots));
  pi::fss::request_choices(call, v.data(), client_bits.data(), path.data());

  Bytes corrections(kGroups * layout.correction_group_bytes);
  Bytes opening(kGroups * layout.opening_group_bytes);
  Bytes state[2] = {Bytes(kGroups * layout.server_state_group_bytes),
                    Bytes(kGroups * layout.client_state_group_bytes)};
  Bytes scratch[2] = {Bytes(kGroups * layout.scratch_group_bytes),
                      Bytes(kGroups * layout.scratch_group_bytes)};
  Bytes bundle[2] = {Bytes(kGroups * layout.bundle_group_bytes[1]),
                     Bytes(kGroups * layout.bundle_group_bytes[1])};
  pi::fss::request(call,
                   {delta[1].data(), seed.data(), v.data(), client_bits.data(),
                    labels(layout.choice_ots).data(), labels(layout.request_ots).data(),
                    corrections.data(), state[1].data(), scratch[1].data(), bundle[1].data()});
  publish(corrections);
  pi::fss::answer(call, {delta[0].data(), seed.data(), choices.data(), server_bits.data(),
                         labels(layout.choice_ots).data(), labels(layout.request_ots).data(),
                         corrections.data(), opening.data(), state[0].data(), scratch[0].data(),
                         bundle[0].data()});
  publish(opening);
  pi::fss::accept_opening(call, {opening.data(), state[1].data()});
  for (int level = 1; level <= layout.bundle_count; ++level) {
    const std::size_t bytes =
        level < layout.bundle_count ? layout.bundle_group_bytes[level + 1] : 0;
    Bytes next[2] = {Bytes(kGroups * bytes), Bytes(kGroups * bytes)};
    for (Bytes& sent : bundle) publish(sent);
    for (const int own : {0, 1}) {
      pi::fss::grow(
          call, {own == 0 ? Party::kServer : Party::kClient, delta[own].data(), seed.data(), level,
                 bundle[1 - own].data(), state[own].data(), scratch[own].data(), next[own].data()});
    }
    bundle[0].swap(next[0]);
    bundle[1].swap(next[1]);
  }

  Bytes message(kGroups * layout.online_group_bytes);
  Bytes kept(kGroups * layout.kept_group_bytes);
  Words z(v.size());
  Words answer(planes(layout.answer_words));
  Words share(v.size());
  pi::fss::encode(
      call, {delta[0].data(), seed.data(), state[0].data(), u.data(), message.data(), kept.data()});
  publish(message);
  pi::fss::evaluate(call, {delta[1].data(), seed.data(), state[1].data(), message.data(),
                           next_mask.data(), z.data(), answer.data()});
  pi::fss::finish(call, {kept.data(), z.data(), answer.data(), share.data()});
}

// The first steps once more, with OTs that they extend themselves. The results are no material.
void run_extending(pi::Isa isa, const Spec& spec) {
  const Layout layout = pi::fss::layout_of(spec);
  const Call call{isa, spec, 7, 11, kGroups, 1};
  const auto planes = [](int count) { return kGroups * static_cast<std::size_t>(count); };
  const Bytes client_delta = secret<std::uint8_t>(16, 0xfe);
  const Bytes server_delta = secret<std::uint8_t>(16, 0xfe, 1);
  const Bytes seed(16, 0x5a);
  const Bytes leaves = secret<std::uint8_t>(pi::kLeafBytes);
  const std::size_t chosen = pi::kLanes * planes(layout.choice_ots);
  const std::size_t asked = pi::kLanes * planes(layout.request_ots);
  const Bytes choice_message(pi::extension_bytes(chosen), 0x5a);
  Bytes message(pi::extension_bytes(asked));
  const Words v = secret<std::uint32_t>(kGroups * pi::kLanes);
  const Words client_bits = secret<std::uint32_t>(planes(layout.client_bits));
  const Words choices = secret<std::uint32_t>(planes(layout.choice_ots));
  const Words server_bits = secret<std::uint32_t>(planes(layout.server_bits));
  Words path(planes(layout.request_ots));
  pi::fss::request_choices(call, v.data(), client_bits.data(), path.data());
  const auto* packed = reinterpret_cast<const std::uint8_t*>(path.data());

  Bytes corrections(kGroups * layout.correction_group_bytes);
  Bytes opening(kGroups * layout.opening_group_bytes);
  Bytes client_state(kGroups * layout.client_state_group_bytes);
  Bytes server_state(kGroups * layout.server_state_group_bytes);
  Bytes scratch(kGroups * layout.scratch_group_bytes);
  Bytes bundle(kGroups * layout.bundle_group_bytes[1]);
  pi::fss::request(
      call,
      {client_delta.data(), seed.data(), v.data(), client_bits.data(), nullptr, nullptr,
       corrections.data(), client_state.data(), scratch.data(), bundle.data()},
      {leaves.data(), client_delta.data(), 5, chosen, choice_message.data()},
      {leaves.data(), 5, asked, packed, message.data()});
  publish(corrections);
  publish(message);
  const Bytes labels = secret<std::uint8_t>(16 * chosen);
  pi::fss::answer(
      call,
      {server_delta.data(), seed.data(), choices.data(), server_bits.data(), labels.data(), nullptr,
       corrections.data(), opening.data(), server_state.data(), scratch.data(), bundle.data()},
      {leaves.data(), server_delta.data(), 5, asked, message.data()});
}

}  // namespace

int main() {
  const Spec specs[] = {
      {Kind::kRelu, 12, 12, false, 4095, 0}, {Kind::kRelu, 12, 18, false, 4095, 1},
      {Kind::kRelu, 12, 23, false, 4095, 1}, {Kind::kRelu, 12, 28, false, 4095, 1},
      {Kind::kRelu, 12, 23, true, 2048, 0},  {Kind::kTruncate, 12, 31, true, 2048, 0},
  };
  return pi::constant_time::on_each_isa([&](pi::Isa isa) {
    for (const Spec& spec : specs) {
      run(isa, spec);
      run_extending(isa, spec);
    }
  });
}
