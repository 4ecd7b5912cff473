#include "ot/softspoken.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "base/parallel.h"
#include "ot/softspoken_kernels.h"

namespace pi {
namespace {

constexpr std::size_t kChunksPerThread = 4;  // below that, a thread costs more than it saves

const SoftspokenKernels& kernels(Isa isa) {
  return isa == Isa::kVaes512 ? kSoftspokenVaes512 : kSoftspokenAesni;
}

// Round keys of all leaves for the length of a call.
class LeafKeys {
 public:
  LeafKeys(const SoftspokenKernels& kernels, const std::uint8_t* leaves)
      : keys_(kTrees * kLeaves) {
    kernels.expand_leaves(leaves, keys_.data());
  }
  LeafKeys(const LeafKeys&) = delete;
  LeafKeys& operator=(const LeafKeys&) = delete;
  ~LeafKeys() { explicit_bzero(keys_.data(), keys_.size() * sizeof(RoundKeys)); }

  const RoundKeys* get() const { return keys_.data(); }

 private:
  std::vector<RoundKeys> keys_;
};

// For every chunk of `count` OTs: generates, lets `exchange(offset, bytes, scratch)` read or write
// the message's part (`bytes` of each tree from `offset` on), and transposes into labels.
void for_chunks(const SoftspokenKernels& kernels, const std::uint8_t* leaves,
                std::uint64_t first_chunk, std::size_t count, std::uint8_t* labels, int threads,
                const std::function<void(std::size_t, std::size_t, CotScratch&)>& exchange) {
  const LeafKeys keys(kernels, leaves);
  const std::size_t chunks = (count + kChunkOts - 1) / kChunkOts;
  parallel_for(chunks, threads, kChunksPerThread, [&](std::size_t begin, std::size_t end) {
    const auto scratch = std::make_unique<CotScratch>();
    for (std::size_t chunk = begin; chunk < end; ++chunk) {
      const std::size_t first = chunk * kChunkOts;
      const std::size_t ots = std::min(kChunkOts, count - first);
      kernels.generate(keys.get(), first_chunk + chunk, *scratch);
      exchange(first / 8, ots / 8, *scratch);
      std::uint8_t* to = labels + kSeedBytes * first;
      if (ots == kChunkOts) {
        kernels.transpose(*scratch, to);
      } else {
        std::vector<std::uint8_t> tail(kSeedBytes * kChunkOts);
        kernels.transpose(*scratch, tail.data());
        std::memcpy(to, tail.data(), kSeedBytes * ots);
        explicit_bzero(tail.data(), tail.size());
      }
    }
    explicit_bzero(scratch.get(), sizeof *scratch);
  });
}

}  // namespace

void extend_receiver(Isa isa, const std::uint8_t* leaves, std::uint64_t first_chunk,
                     std::size_t count, const std::uint8_t* choice_bits, std::uint8_t* message,
                     std::uint8_t* labels, int threads) {
  const auto send = [&](std::size_t offset, std::size_t bytes, CotScratch& scratch) {
    for (std::size_t tree = 0; tree < kTrees; ++tree) {
      std::uint8_t* to = message + tree * (count / 8) + offset;
      for (std::size_t i = 0; i < bytes; ++i) {
        to[i] = static_cast<std::uint8_t>(scratch.parity[tree][i] ^ choice_bits[offset + i]);
      }
    }
  };
  for_chunks(kernels(isa), leaves, first_chunk, count, labels, threads, send);
}

void extend_sender(Isa isa, const std::uint8_t* leaves, const std::uint8_t* delta,
                   std::uint64_t first_chunk, std::size_t count, const std::uint8_t* message,
                   std::uint8_t* zero_labels, int threads) {
  std::uint8_t masks[kCotBits][kSeedBytes];
  for (std::size_t i = 0; i < kCotBits; ++i) {
    std::memset(masks[i], -((delta[i / 8] >> (i % 8)) & 1), kSeedBytes);
  }
  const auto receive = [&](std::size_t offset, std::size_t bytes, CotScratch& scratch) {
    for (std::size_t tree = 0; tree < kTrees; ++tree) {
      const std::uint8_t* from = message + tree * (count / 8) + offset;
      for (std::size_t i = 0; i < bytes; ++i) {
        scratch.parity[tree][i] = static_cast<std::uint8_t>(scratch.parity[tree][i] ^ from[i]);
      }
    }
    kernels(isa).correct(masks[0], scratch);
  };
  for_chunks(kernels(isa), leaves, first_chunk, count, zero_labels, threads, receive);
  explicit_bzero(masks, sizeof masks);
}

}  // namespace pi
