#include "garble/gadget.h"

#include "base/parallel.h"
#include "garble/kernels.h"
#include "symmetric/tweak.h"

namespace pi {
namespace {

// Groups below which another thread costs more than it saves, for a step that does the work of
// `gates` gates a group: about 0.06 ms of work a thread.
std::size_t grain_of(int gates) { return 640 / (1 + static_cast<std::size_t>(gates)); }

const GadgetKernels& kernels(const GadgetCall& call) {
  if (call.spec.kind == GadgetKind::kRelu) return PI_KERNELS(call.isa, kRelu);
  return PI_KERNELS(call.isa, kTruncate);
}

template <class Kernel, class Arguments>
void run(const GadgetCall& call, const GadgetLayout& layout, int gates, Kernel kernel,
         const Arguments& arguments) {
  parallel_for(
      call.group_count, call.threads, grain_of(gates),
      [&](std::size_t begin, std::size_t end) { kernel(call, layout, arguments, begin, end); });
}

}  // namespace

void garble(const GadgetCall& call, const GarbleArguments& arguments) {
  const GadgetLayout layout = layout_of(call.spec);
  run(call, layout, layout.gate_count, kernels(call).garble, arguments);
}

void accept(const GadgetCall& call, const AcceptArguments& arguments) {
  const GadgetLayout layout = layout_of(call.spec);
  run(call, layout, 0, kernels(call).accept, arguments);
}

void encode(const GadgetCall& call, const EncodeArguments& arguments) {
  const GadgetLayout layout = layout_of(call.spec);
  run(call, layout, layout.gate_count / 4, kernels(call).encode, arguments);
}

void evaluate(const GadgetCall& call, const EvaluateArguments& arguments) {
  const GadgetLayout layout = layout_of(call.spec);
  run(call, layout, layout.gate_count, kernels(call).evaluate, arguments);
}

void choice_bits(const GadgetCall& call, const std::uint32_t* v, std::uint32_t* packed) {
  const GadgetLayout layout = layout_of(call.spec);
  const auto positions = static_cast<std::size_t>(layout.label_ots);
  const auto body = [&](std::size_t begin, std::size_t end) {
    for (std::size_t group = begin; group < end; ++group) {
      for (std::size_t position = 0; position < positions; ++position) {
        const bool top = position + 1 == positions;
        const int bit = top ? layout.top_bit : layout.first_bit + static_cast<int>(position);
        std::uint32_t word = 0;
        for (int lane = 0; lane < kLanes; ++lane) {
          word |= ((v[kLanes * group + static_cast<std::size_t>(lane)] >> bit) & 1u) << lane;
        }
        packed[group * positions + position] = word;
      }
    }
  };
  parallel_for(call.group_count, call.threads, grain_of(0), body);
}

void correlation(const GadgetCall& call, const std::uint32_t* v, std::uint32_t* out) {
  const int up = 31 - call.spec.window_bits;
  const int down = up + call.spec.truncate_bits;
  for (std::size_t i = 0; i < kLanes * call.group_count; ++i) {
    out[i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(v[i] << up) >> down);
  }
}

}  // namespace pi
