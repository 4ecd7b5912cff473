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

const SoftspokenKernels& kernels(Isa isa) { return PI_KERNELS(isa, kSoftspoken); }

// Round keys of all leaves for the length of a call.
class LeafKeys {
 public:
  LeafKeys(const SoftspokenKernels& kernels, const std::uint8_t* leaves) : keys_(kTrees * kLeaves) {
    kernels.expand_leaves(leaves, keys_.data());
  }
  LeafKeys(const LeafKeys&) = delete;
  LeafKeys& operator=(const LeafKeys&) = delete;
  ~LeafKeys() { explicit_bzero(keys_.data(), keys_.size() * sizeof(RoundKeys)); }

  const RoundKeys* get() const { return keys_.data(); }

 private:
  std::vector<RoundKeys> keys_;
};

using Exchange = std::function<void(std::size_t first, std::size_t bytes, CotScratch& scratch)>;

// to[i] = a[i] xor b[i]; `to` may be `a`.
void xor_bytes(const std::uint8_t* a, const std::uint8_t* b, std::size_t count, std::uint8_t* to) {
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<std::uint8_t>(a[i] ^ b[i]);
}

// For every chunk of `count` OTs: generates, lets `exchange(first OT, bytes, scratch)` read or
// write the chunk's part of the message (`bytes` of each tree), and transposes into labels.
void for_chunks(const SoftspokenKernels& kernels, const std::uint8_t* leaves,
                std::uint64_t first_chunk, std::size_t count, std::uint8_t* labels, int threads,
                const Exchange& exchange) {
  const LeafKeys keys(kernels, leaves);
  const std::size_t chunks = (count + kChunkOts - 1) / kChunkOts;
  parallel_for(chunks, threads, kChunksPerThread, [&](std::size_t begin, std::size_t end) {
    const auto scratch = std::make_unique<CotScratch>();
    for (std::size_t chunk = begin; chunk < end; ++chunk) {
      const std::size_t first = chunk * kChunkOts;
      const std::size_t ots = std::min(kChunkOts, count - first);
      kernels.generate(keys.get(), first_chunk + chunk, *scratch);
      exchange(first, ots / 8, *scratch);
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
  const auto send = [&](std::size_t first, std::size_t bytes, CotScratch& scratch) {
    for (std::size_t tree = 0; tree < kTrees; ++tree) {
      std::uint8_t* part = message + extension_bytes(first) + bytes * tree;
      xor_bytes(scratch.parity[tree], choice_bits + first / 8, bytes, part);
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
  const auto receive = [&](std::size_t first, std::size_t bytes, CotScratch& scratch) {
    for (std::size_t tree = 0; tree < kTrees; ++tree) {
      const std::uint8_t* part = message + extension_bytes(first) + bytes * tree;
      xor_bytes(scratch.parity[tree], part, bytes, scratch.parity[tree]);
    }
    kernels(isa).correct(masks[0], scratch);
  };
  for_chunks(kernels(isa), leaves, first_chunk, count, zero_labels, threads, receive);
  explicit_bzero(masks, sizeof masks);
}

}  // namespace pi
