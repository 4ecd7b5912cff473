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

// Reads or writes the part of the message for a chunk that begins at OT `first`, `bytes` per tree.
using Exchange = std::function<void(std::size_t first, std::size_t bytes, CotChunk& chunk)>;

// to[i] = a[i] xor b[i]; `to` may be `a`.
void xor_bytes(const std::uint8_t* a, const std::uint8_t* b, std::size_t count, std::uint8_t* to) {
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<std::uint8_t>(a[i] ^ b[i]);
}

// Transposes the last chunk of a part, which may be shorter than the others.
void finish_last(const SoftspokenKernels& kernels, const CotChunk& chunk,
                 const std::uint8_t* delta_masks, std::size_t ots, std::uint8_t* labels) {
  if (ots == kChunkOts) return kernels.step(nullptr, 0, nullptr, &chunk, delta_masks, labels);
  std::vector<std::uint8_t> whole(kSeedBytes * kChunkOts);
  kernels.step(nullptr, 0, nullptr, &chunk, delta_masks, whole.data());
  std::memcpy(labels, whole.data(), kSeedBytes * ots);
  explicit_bzero(whole.data(), whole.size());
}

// Extends by `count` OTs: generates a chunk while the one before is transposed into labels, and
// lets `exchange` see each in between.
void for_chunks(const SoftspokenKernels& kernels, const std::uint8_t* leaves,
                std::uint64_t first_chunk, std::size_t count, const std::uint8_t* delta_masks,
                std::uint8_t* labels, int threads, const Exchange& exchange) {
  const LeafKeys keys(kernels, leaves);
  const std::size_t chunks = (count + kChunkOts - 1) / kChunkOts;
  parallel_for(chunks, threads, kChunksPerThread, [&](std::size_t begin, std::size_t end) {
    if (begin == end) return;
    const auto held = std::make_unique<CotChunk[]>(2);
    const auto ots_of = [&](std::size_t chunk) {
      return std::min(kChunkOts, count - kChunkOts * chunk);
    };
    const auto labels_of = [&](std::size_t chunk) {
      return labels + kSeedBytes * kChunkOts * chunk;
    };
    for (std::size_t chunk = begin; chunk < end; ++chunk) {
      CotChunk& next = held[chunk % 2];
      const bool first = chunk == begin;
      kernels.step(keys.get(), first_chunk + chunk, &next, first ? nullptr : &held[(chunk + 1) % 2],
                   delta_masks, first ? nullptr : labels_of(chunk - 1));
      exchange(kChunkOts * chunk, ots_of(chunk) / 8, next);
    }
    finish_last(kernels, held[(end - 1) % 2], delta_masks, ots_of(end - 1), labels_of(end - 1));
    explicit_bzero(held.get(), 2 * sizeof(CotChunk));
  });
}

}  // namespace

void extend_receiver(Isa isa, const std::uint8_t* leaves, std::uint64_t first_chunk,
                     std::size_t count, const std::uint8_t* choice_bits, std::uint8_t* message,
                     std::uint8_t* labels, int threads) {
  const auto send = [&](std::size_t first, std::size_t bytes, CotChunk& chunk) {
    for (std::size_t tree = 0; tree < kTrees; ++tree) {
      std::uint8_t* part = message + extension_bytes(first) + bytes * tree;
      xor_bytes(chunk.parity[tree], choice_bits + first / 8, bytes, part);
    }
  };
  for_chunks(kernels(isa), leaves, first_chunk, count, nullptr, labels, threads, send);
}

void extend_sender(Isa isa, const std::uint8_t* leaves, const std::uint8_t* delta,
                   std::uint64_t first_chunk, std::size_t count, const std::uint8_t* message,
                   std::uint8_t* zero_labels, int threads) {
  alignas(64) std::uint8_t masks[kCotBits][kSeedBytes];
  for (std::size_t i = 0; i < kCotBits; ++i) {
    std::memset(masks[i], -((delta[i / 8] >> (i % 8)) & 1), kSeedBytes);
  }
  const auto receive = [&](std::size_t first, std::size_t bytes, CotChunk& chunk) {
    for (std::size_t tree = 0; tree < kTrees; ++tree) {
      const std::uint8_t* part = message + extension_bytes(first) + bytes * tree;
      xor_bytes(chunk.parity[tree], part, bytes, chunk.parity[tree]);
    }
  };
  for_chunks(kernels(isa), leaves, first_chunk, count, masks[0], zero_labels, threads, receive);
  explicit_bzero(masks, sizeof masks);
}

}  // namespace pi
