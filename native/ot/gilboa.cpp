#include "ot/gilboa.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "symmetric/symmetric.h"

namespace pi {
namespace {

constexpr std::size_t kBatchGroups = 16;
constexpr std::size_t kGroupsPerThread = 16;
constexpr std::size_t kGroupBytes = std::size_t{kLanes} * kBlockBytes;

using Pads = std::uint8_t[kBatchGroups * kGroupBytes];

// Calls body(first group, groups) in batches, over threads.
template <class Body>
void for_batches(std::size_t group_count, int threads, const Body& body) {
  parallel_for(group_count, threads, kGroupsPerThread, [&](std::size_t begin, std::size_t end) {
    for (std::size_t group = begin; group < end; group += kBatchGroups) {
      body(group, std::min(kBatchGroups, end - group));
    }
  });
}

Tweak tweak_of(std::uint32_t number, std::uint32_t first_group, std::size_t group,
               std::size_t bit) {
  return {Purpose::kProductOt, number, first_group + static_cast<std::uint32_t>(group),
          static_cast<std::uint32_t>(bit), 0};
}

std::uint32_t pad(const std::uint8_t* pads, std::size_t lane) {
  std::uint32_t word;
  std::memcpy(&word, pads + kBlockBytes * lane, sizeof word);
  return word;
}

// A stream of values of `width` bits each, 32 of which fill `width` words. Branches on widths
// alone.
class Packer {
 public:
  Packer(std::uint32_t* to, std::size_t width) : to_(to), width_(width) {}
  void put(std::uint32_t value) {
    pending_ |= (value & mask(width_)) << filled_;
    filled_ += width_;
    if (filled_ >= 32) {
      *to_++ = static_cast<std::uint32_t>(pending_);
      pending_ >>= 32;
      filled_ -= 32;
    }
  }
  static std::uint64_t mask(std::size_t width) { return (std::uint64_t{1} << width) - 1; }

 private:
  std::uint32_t* to_;
  std::size_t width_;
  std::size_t filled_ = 0;
  std::uint64_t pending_ = 0;
};

class Unpacker {
 public:
  Unpacker(const std::uint32_t* from, std::size_t width) : from_(from), width_(width) {}
  std::uint32_t take() {
    if (filled_ < width_) {
      pending_ |= std::uint64_t{*from_++} << filled_;
      filled_ += 32;
    }
    const std::uint64_t value = pending_ & Packer::mask(width_);
    pending_ >>= width_;
    filled_ -= width_;
    return static_cast<std::uint32_t>(value);
  }

 private:
  const std::uint32_t* from_;
  std::size_t width_;
  std::size_t filled_ = 0;
  std::uint64_t pending_ = 0;
};

// Where the values of bit j begin among a group's corrections.
std::size_t correction_start(std::size_t bit_count, std::size_t bit) {
  return correction_words(bit_count) - correction_words(bit_count - bit);
}

}  // namespace

void product_send(Isa isa, const std::uint8_t* delta, const std::uint8_t* hash_seed,
                  std::uint32_t number, std::uint32_t first_group, std::size_t group_count,
                  std::size_t bit_count, const std::uint8_t* zero_labels,
                  const std::uint32_t* factor, std::uint32_t* corrections, std::uint32_t* share,
                  int threads) {
  for_batches(group_count, threads, [&](std::size_t first, std::size_t groups) {
    Pads zero;
    Pads one;
    std::fill_n(share + kLanes * first, kLanes * groups, 0u);
    for (std::size_t bit = 0; bit < bit_count; ++bit) {
      const Tweak tweak = tweak_of(number, first_group, first, bit);
      const std::uint8_t* labels = zero_labels + kGroupBytes * (bit * group_count + first);
      hash_labels(isa, hash_seed, tweak, groups, labels, nullptr, zero);
      hash_labels(isa, hash_seed, tweak, groups, labels, delta, one);
      for (std::size_t group = first; group < first + groups; ++group) {
        const std::uint8_t* zeros = zero + kGroupBytes * (group - first);
        const std::uint8_t* ones = one + kGroupBytes * (group - first);
        Packer out(
            corrections + correction_words(bit_count) * group + correction_start(bit_count, bit),
            bit_count - bit);
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          const std::uint32_t x = pad(zeros, lane);
          out.put(x + factor[kLanes * group + lane] - pad(ones, lane));
          share[kLanes * group + lane] -= x << bit;
        }
      }
    }
  });
}

void product_receive(Isa isa, const std::uint8_t* hash_seed, std::uint32_t number,
                     std::uint32_t first_group, std::size_t group_count, std::size_t bit_count,
                     const std::uint8_t* active_labels, const std::uint32_t* factor,
                     const std::uint32_t* corrections, std::uint32_t* share, int threads) {
  for_batches(group_count, threads, [&](std::size_t first, std::size_t groups) {
    Pads pads;
    std::fill_n(share + kLanes * first, kLanes * groups, 0u);
    for (std::size_t bit = 0; bit < bit_count; ++bit) {
      hash_labels(isa, hash_seed, tweak_of(number, first_group, first, bit), groups,
                  active_labels + kGroupBytes * (bit * group_count + first), nullptr, pads);
      for (std::size_t group = first; group < first + groups; ++group) {
        Unpacker in(
            corrections + correction_words(bit_count) * group + correction_start(bit_count, bit),
            bit_count - bit);
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          const std::uint32_t chosen = 0u - (factor[kLanes * group + lane] >> bit & 1u);
          const std::uint32_t tau = in.take();
          share[kLanes * group + lane] +=
              (pad(pads + kGroupBytes * (group - first), lane) + (chosen & tau)) << bit;
        }
      }
    }
  });
}

}  // namespace pi
