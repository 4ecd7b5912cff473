#include "fss/steps.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>

#include "base/parallel.h"
#include "fss/groups.h"
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

constexpr std::size_t kWholeChunks = kChunkOts / kLanes;  // groups whose OTs fill whole chunks
constexpr std::size_t kTogether = 8;                      // groups whose labels are made together

// Holds the labels of one kind of OT for a range of groups.
class GroupLabels {
 public:
  GroupLabels(const Extension& extension, int ots, std::size_t begin, std::size_t end)
      : ots_(kLanes * static_cast<std::size_t>(ots)),
        stream_(extension, ots_ * begin, ots_ * end, ots_ * kTogether) {}
  const std::uint8_t* take(std::size_t groups) { return stream_.take(ots_ * groups); }

 private:
  std::size_t ots_;
  LabelStream stream_;
};

// Calls body(begin, end) for parts of the groups that begin with a chunk of OTs.
void for_parts(const Call& call, int hashes,
               const std::function<void(std::size_t begin, std::size_t end)>& body) {
  const std::size_t parts = (call.group_count + kWholeChunks - 1) / kWholeChunks;
  const std::size_t grain = (grain_of(hashes) + kWholeChunks - 1) / kWholeChunks;
  parallel_for(parts, call.threads, grain, [&](std::size_t begin, std::size_t end) {
    body(kWholeChunks * begin, std::min(kWholeChunks * end, call.group_count));
  });
}

// Calls body(call, first) for the groups [begin, end), a few at a time; the call has their numbers.
template <class Body>
void for_groups(const Call& call, std::size_t begin, std::size_t end, const Body& body) {
  for (std::size_t first = begin; first < end; first += kTogether) {
    Call part = call;
    part.first_group += static_cast<std::uint32_t>(first);
    part.group_count = std::min(kTogether, end - first);
    body(part, first);
  }
}

// The word at the end of a group's state: how many bundles the party has taken, whether it has
// accepted the opening, whether the state is spent, and whether it was begun. Fresh and wiped
// memory has zeros, which would mask nothing, so zeros are no state that was begun.
constexpr std::uint32_t kBundles = 0xff;
constexpr std::uint32_t kOpened = 0x100;
constexpr std::uint32_t kSpent = 0x200;
constexpr std::uint32_t kBegun = 0x400;
constexpr std::uint32_t kWhole = ~0u;

// The states of a call's groups, whose steps it counts.
class Steps {
 public:
  Steps(const Call& call, std::uint8_t* states, std::size_t group_bytes)
      : words_(states + group_bytes - kStepBytes),
        group_bytes_(group_bytes),
        group_count_(call.group_count) {}

  void begin() {
    for (std::size_t group = 0; group < group_count_; ++group) set(group, kBegun);
  }

  // Adds `step` to the counts. Throws, and changes nothing, if a state was not begun or its count
  // has other bits under `mask` than `expected`.
  void take(const char* name, std::uint32_t mask, std::uint32_t expected, std::uint32_t step) {
    for (std::size_t group = 0; group < group_count_; ++group) {
      if ((count(group) & (mask | kBegun)) != (expected | kBegun)) {
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

void request(const Call& call, const RequestArguments& arguments, const SenderExtension& choices,
             const ReceiverExtension& labels) {
  const Layout layout = layout_of(call.spec);
  const Extension chosen(call.isa, choices);
  const Extension requested(call.isa, labels);
  for_parts(call, 2 * layout.choice_ots, [&](std::size_t begin, std::size_t end) {
    GroupLabels zero(chosen, layout.choice_ots, begin, end);
    GroupLabels active(requested, layout.request_ots, begin, end);
    for_groups(call, begin, end, [&](const Call& part, std::size_t first) {
      RequestArguments buffers = at_group(arguments, layout, first);
      buffers.choice_labels = zero.take(part.group_count);
      buffers.request_labels = active.take(part.group_count);
      kernels(call).request(part, layout, buffers, 0, part.group_count);
    });
  });
  Steps(call, arguments.out_state, layout.client_state_group_bytes).begin();
}

void answer(const Call& call, const AnswerArguments& arguments, const SenderExtension& labels) {
  const Layout layout = layout_of(call.spec);
  const Extension requested(call.isa, labels);
  for_parts(call, layout.choice_ots, [&](std::size_t begin, std::size_t end) {
    GroupLabels zero(requested, layout.request_ots, begin, end);
    for_groups(call, begin, end, [&](const Call& part, std::size_t first) {
      AnswerArguments buffers = at_group(arguments, layout, first);
      buffers.request_labels = zero.take(part.group_count);
      kernels(call).answer(part, layout, buffers, 0, part.group_count);
    });
  });
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
