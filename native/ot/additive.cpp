#include "ot/additive.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "symmetric/symmetric.h"

namespace pi {
namespace {

constexpr std::size_t kBatchGroups = 16;
constexpr std::size_t kGroupsPerThread = 256;
constexpr std::size_t kGroupBytes = std::size_t{kLanes} * kBlockBytes;

using Pads = std::uint8_t[kBatchGroups * kGroupBytes];

std::uint32_t pad(const Pads& pads, std::size_t element) {
  std::uint32_t word;
  std::memcpy(&word, pads + kBlockBytes * element, sizeof word);
  return word;
}

// Calls body(first group, groups) in batches, over threads.
template <class Body>
void for_batches(std::size_t group_count, int threads, const Body& body) {
  parallel_for(group_count, threads, kGroupsPerThread, [&](std::size_t begin, std::size_t end) {
    for (std::size_t group = begin; group < end; group += kBatchGroups) {
      body(group, std::min(kBatchGroups, end - group));
    }
  });
}

Tweak tweak_of(std::uint32_t gadget, std::uint32_t first_group, std::size_t group) {
  return {Purpose::kAdditiveOt, gadget, first_group + static_cast<std::uint32_t>(group), 0, 0};
}

}  // namespace

void additive_send(Isa isa, const std::uint8_t* delta, const std::uint8_t* hash_seed,
                   std::uint32_t gadget, std::uint32_t first_group, std::size_t group_count,
                   const std::uint8_t* zero_labels, const std::uint32_t* correlation,
                   std::uint32_t* tau, std::uint32_t* beta, int threads) {
  for_batches(group_count, threads, [&](std::size_t group, std::size_t groups) {
    Pads zero;
    Pads one;
    const Tweak tweak = tweak_of(gadget, first_group, group);
    const std::uint8_t* labels = zero_labels + kGroupBytes * group;
    hash_labels(isa, hash_seed, tweak, groups, labels, nullptr, zero);
    hash_labels(isa, hash_seed, tweak, groups, labels, delta, one);
    const std::size_t first = kLanes * group;
    for (std::size_t i = 0; i < kLanes * groups; ++i) {
      const std::uint32_t x = pad(zero, i);
      tau[first + i] = x + correlation[first + i] - pad(one, i);
      beta[first + i] = 0u - x;
    }
  });
}

void additive_receive(Isa isa, const std::uint8_t* hash_seed, std::uint32_t gadget,
                      std::uint32_t first_group, std::size_t group_count,
                      const std::uint8_t* active_labels, const std::uint8_t* choices,
                      const std::uint32_t* tau, std::uint32_t* alpha, int threads) {
  for_batches(group_count, threads, [&](std::size_t group, std::size_t groups) {
    Pads pads;
    hash_labels(isa, hash_seed, tweak_of(gadget, first_group, group), groups,
                active_labels + kGroupBytes * group, nullptr, pads);
    const std::size_t first = kLanes * group;
    for (std::size_t i = 0; i < kLanes * groups; ++i) {
      const std::uint32_t mask = 0u - (choices[first + i] & 1u);
      alpha[first + i] = pad(pads, i) + (mask & tau[first + i]);
    }
  });
}

}  // namespace pi
