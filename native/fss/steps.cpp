#include "fss/steps.h"

#include "base/parallel.h"
#include "fss/kernels.h"
#include "symmetric/tweak.h"

namespace pi::fss {
namespace {

const Kernels& kernels(const Call& call) {
  if (call.spec.kind == Kind::kRelu) return PI_KERNELS(call.isa, kRelu);
  return PI_KERNELS(call.isa, kTruncate);
}

// Groups below which another thread costs more than it saves, for a step that hashes `hashes`
// blocks per element: about 0.06 ms of work per thread.
std::size_t grain_of(int hashes) { return 1600 / (4 + static_cast<std::size_t>(hashes)); }

template <class Arguments>
void run(const Call& call, const Layout& layout, int hashes, Kernel<Arguments> kernel,
         const Arguments& arguments) {
  parallel_for(
      call.group_count, call.threads, grain_of(hashes),
      [&](std::size_t begin, std::size_t end) { kernel(call, layout, arguments, begin, end); });
}

}  // namespace

void request_choices(const Call& call, const std::uint32_t* v, const std::uint32_t* bits,
                     std::uint32_t* packed) {
  const Layout layout = layout_of(call.spec);
  parallel_for(call.group_count, call.threads, grain_of(0),
               [&](std::size_t begin, std::size_t end) {
                 kernels(call).choices(call, layout, v, bits, packed, begin, end);
               });
}

void request(const Call& call, const RequestArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  run(call, layout, 2 * layout.choice_ots, kernels(call).request, arguments);
}

void answer(const Call& call, const AnswerArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  run(call, layout, layout.choice_ots, kernels(call).answer, arguments);
}

void grow(const Call& call, const GrowArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  run(call, layout, 2 << arguments.level, kernels(call).grow, arguments);
}

void accept_opening(const Call& call, const AcceptOpeningArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  if (layout.opening_group_bytes > 0) {
    run(call, layout, 0, kernels(call).accept_opening, arguments);
  }
}

void encode(const Call& call, const EncodeArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  run(call, layout, layout.bundle_count, kernels(call).encode, arguments);
}

void evaluate(const Call& call, const EvaluateArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  run(call, layout, layout.bundle_count, kernels(call).evaluate, arguments);
}

void finish(const Call& call, const FinishArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  run(call, layout, 0, kernels(call).finish, arguments);
}

}  // namespace pi::fss
