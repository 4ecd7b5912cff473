#include "fss/steps.h"

#include <cstring>
#include <stdexcept>
#include <string>

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

// The word at the end of a group's state: how many bundles the party has taken, whether it has
// accepted the opening, and whether the state is spent.
constexpr std::uint32_t kBundles = 0xff;
constexpr std::uint32_t kOpened = 0x100;
constexpr std::uint32_t kSpent = 0x200;
constexpr std::uint32_t kWhole = ~0u;

// The states of a call's groups, whose steps it counts.
class Steps {
 public:
  Steps(const Call& call, std::uint8_t* states, std::size_t group_bytes)
      : words_(states + group_bytes - kStepBytes),
        group_bytes_(group_bytes),
        group_count_(call.group_count) {}

  void begin() {
    for (std::size_t group = 0; group < group_count_; ++group) set(group, 0);
  }

  // Adds `step` to the counts. Throws, and changes nothing, if a count has other bits under `mask`
  // than `expected`.
  void take(const char* name, std::uint32_t mask, std::uint32_t expected, std::uint32_t step) {
    for (std::size_t group = 0; group < group_count_; ++group) {
      if ((count(group) & mask) != expected) {
        throw std::invalid_argument(std::string("state: ") + name +
                                    " comes a second time or too early; a state serves once, so "
                                    "run the offline phase again");
      }
    }
    for (std::size_t group = 0; group < group_count_; ++group) set(group, count(group) + step);
  }

 private:
  std::uint32_t count(std::size_t group) const {
    std::uint32_t out;
    std::memcpy(&out, words_ + group * group_bytes_, kStepBytes);
    return out;
  }
  void set(std::size_t group, std::uint32_t value) {
    std::memcpy(words_ + group * group_bytes_, &value, kStepBytes);
  }

  std::uint8_t* words_;
  std::size_t group_bytes_;
  std::size_t group_count_;
};

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
  Steps(call, arguments.out_state, layout.client_state_group_bytes).begin();
}

void answer(const Call& call, const AnswerArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  run(call, layout, layout.choice_ots, kernels(call).answer, arguments);
  Steps(call, arguments.out_state, layout.server_state_group_bytes).begin();
}

void grow(const Call& call, const GrowArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  const std::size_t state_bytes = arguments.party == Party::kServer
                                      ? layout.server_state_group_bytes
                                      : layout.client_state_group_bytes;
  Steps(call, arguments.state, state_bytes)
      .take("grow", kBundles, static_cast<std::uint32_t>(arguments.level - 1), 1);
  run(call, layout, 2 << arguments.level, kernels(call).grow, arguments);
}

void accept_opening(const Call& call, const AcceptOpeningArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  if (layout.opening_group_bytes == 0) return;
  Steps(call, arguments.state, layout.client_state_group_bytes)
      .take("accept_opening", kOpened, 0, kOpened);
  run(call, layout, 0, kernels(call).accept_opening, arguments);
}

void encode(const Call& call, const EncodeArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  Steps(call, arguments.state, layout.server_state_group_bytes)
      .take("encode", kWhole, static_cast<std::uint32_t>(layout.bundle_count), kSpent);
  run(call, layout, layout.bundle_count, kernels(call).encode, arguments);
}

void evaluate(const Call& call, const EvaluateArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  const std::uint32_t opened = layout.opening_group_bytes > 0 ? kOpened : 0;
  Steps(call, arguments.state, layout.client_state_group_bytes)
      .take("evaluate", kWhole, static_cast<std::uint32_t>(layout.bundle_count) | opened, kSpent);
  run(call, layout, layout.bundle_count, kernels(call).evaluate, arguments);
}

void finish(const Call& call, const FinishArguments& arguments) {
  const Layout layout = layout_of(call.spec);
  run(call, layout, 0, kernels(call).finish, arguments);
}

}  // namespace pi::fss
