// Runs every step of garbled gadgets with all secrets marked as undefined memory: both shares, both
// masks, delta, seeds of labels, labels of both parties, select bits and products. Under valgrind's
// memcheck, each branch and each index that depends on a secret is then an error. The garbled
// tables and the online message are marked as defined again, because the garbler sends them.
#include "garble/gadget.h"
#include "secret.h"

namespace {

using pi::GadgetKind;
using pi::GadgetSpec;
using pi::constant_time::Bytes;
using pi::constant_time::publish;
using pi::constant_time::secret;
using pi::constant_time::Words;

constexpr std::size_t kGroups = 2;
constexpr std::size_t kCount = kGroups * pi::kLanes;

// The active labels are drawn anew, not derived from the zero labels: results are wrong then, but
// gadget_test checks results, and timing may not depend on them either.
void run(pi::Isa isa, const GadgetSpec& spec) {
  const pi::GadgetLayout layout = pi::layout_of(spec);
  const pi::GadgetCall call{isa, spec, 7, 11, kGroups, 1};
  const auto ots = static_cast<std::size_t>(layout.label_ots);
  const Bytes delta = secret<std::uint8_t>(16, 0xff, 1);
  const Bytes hash_seed(16, 0x5a);
  const Bytes label_seed = secret<std::uint8_t>(16);
  const Bytes zero = secret<std::uint8_t>(kCount * ots * pi::kBlockBytes);
  const Bytes active = secret<std::uint8_t>(zero.size());
  Bytes select = secret<std::uint8_t>(kCount);
  for (std::uint8_t& bit : select) bit = static_cast<std::uint8_t>(bit & 1);
  const Words u = secret<std::uint32_t>(kCount);
  const Words v = secret<std::uint32_t>(kCount);
  const Words alpha = secret<std::uint32_t>(kCount);
  const Words beta = secret<std::uint32_t>(kCount);
  const Words next_mask = secret<std::uint32_t>(kCount);

  Words choices(kGroups * ots);
  pi::choice_bits(call, v.data(), choices.data());
  if (spec.kind == GadgetKind::kRelu) {
    Words factor(kCount);
    pi::correlation(call, v.data(), factor.data());
  }
  Bytes garbled(kGroups * layout.garbled_group_bytes);
  Bytes state(kGroups * layout.state_group_bytes);
  Bytes message(kGroups * layout.online_group_bytes);
  Words out_mask(kCount);
  Words z(kCount);
  pi::garble(call, {delta.data(), hash_seed.data(), label_seed.data(), zero.data(), select.data(),
                    alpha.data(), garbled.data(), state.data()});
  publish(garbled);
  pi::accept(call, {hash_seed.data(), v.data(), active.data(), garbled.data()});
  pi::encode(call, {delta.data(), label_seed.data(), state.data(), u.data(), message.data(),
                    out_mask.data()});
  publish(message);
  pi::evaluate(call, {hash_seed.data(), v.data(), beta.data(), active.data(), garbled.data(),
                      message.data(), next_mask.data(), z.data()});
}

}  // namespace

int main() {
  return pi::constant_time::on_each_isa([](pi::Isa isa) {
    for (const auto kind : {GadgetKind::kRelu, GadgetKind::kTruncate}) {
      for (const bool exact : {false, true}) {
        for (const int chunk : {1, 2, 3, 4}) {
          for (const auto garbling : {pi::Garbling::kHalfGates, pi::Garbling::kThreeHalves}) {
            run(isa, {kind, 12, 23, exact, exact ? 2048u : 4095u, 0, chunk, garbling});
          }
        }
      }
    }
  });
}
