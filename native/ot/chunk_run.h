// Runs through the chunks of one extension, at either party. Only sources of this folder use it.
#pragma once
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "ot/label_stream.h"
#include "ot/softspoken_kernels.h"

namespace pi {

// Holds what all parts of an extension share: the round keys of the leaves, and at the sender delta
// spread over rows. They are wiped at the end.
class ExtensionKeys {
 public:
  ExtensionKeys(Isa isa, const SenderExtension& sender)
      : kernels_(PI_KERNELS(isa, kSoftspoken)),
        first_chunk_(sender.first_chunk),
        count_(sender.count),
        received_(sender.message),
        masks_(std::make_unique_for_overwrite<Masks>()) {
    for (std::size_t i = 0; i < kCotBits; ++i) {
      std::memset(masks_->at[i], -((sender.delta[i / 8] >> (i % 8)) & 1), kSeedBytes);
    }
    kernels_.expand_leaves(sender.leaves, keys_.data());
  }
  ExtensionKeys(Isa isa, const ReceiverExtension& receiver)
      : kernels_(PI_KERNELS(isa, kSoftspoken)),
        first_chunk_(receiver.first_chunk),
        count_(receiver.count),
        choice_bits_(receiver.choice_bits),
        sent_(receiver.message) {
    kernels_.expand_leaves(receiver.leaves, keys_.data());
  }
  ExtensionKeys(const ExtensionKeys&) = delete;
  ExtensionKeys& operator=(const ExtensionKeys&) = delete;
  ~ExtensionKeys() {
    explicit_bzero(keys_.data(), keys_.size() * sizeof(RoundKeys));
    if (masks_) explicit_bzero(masks_->at, sizeof masks_->at);
  }

  std::size_t chunk_count() const { return (count_ + kChunkOts - 1) / kChunkOts; }
  std::size_t ots_of(std::size_t chunk) const {
    return std::min(kChunkOts, count_ - kChunkOts * chunk);
  }

  // Generates a chunk into `next` while `ready` is transposed into kChunkOts labels. Either may be
  // null. Then `next` takes its part of the message, or writes it.
  void step(std::size_t chunk, CotChunk* next, const CotChunk* ready, std::uint8_t* labels) const {
    kernels_.step(keys_.data(), first_chunk_ + chunk, next, ready, masks_ ? masks_->at[0] : nullptr,
                  labels);
    if (next == nullptr) return;
    const std::size_t first = kChunkOts * chunk;
    const std::size_t bytes = ots_of(chunk) / 8;
    for (std::size_t tree = 0; tree < kTrees; ++tree) {
      const std::size_t part = extension_bytes(first) + bytes * tree;
      std::uint8_t* parity = next->parity[tree];
      if (sent_ == nullptr) {
        xor_bytes(parity, received_ + part, bytes, parity);
      } else {
        xor_bytes(parity, choice_bits_ + first / 8, bytes, sent_ + part);
      }
    }
  }

 private:
  struct alignas(64) Masks {
    std::uint8_t at[kCotBits][kSeedBytes];  // all ones or zero
  };

  // to[i] = a[i] xor b[i]; `to` may be `a`.
  static void xor_bytes(const std::uint8_t* a, const std::uint8_t* b, std::size_t count,
                        std::uint8_t* to) {
    for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<std::uint8_t>(a[i] ^ b[i]);
  }

  const SoftspokenKernels& kernels_;
  std::uint64_t first_chunk_;
  std::size_t count_;
  const std::uint8_t* received_ = nullptr;     // the sender's message
  const std::uint8_t* choice_bits_ = nullptr;  // the receiver's
  std::uint8_t* sent_ = nullptr;               // the receiver's message
  std::unique_ptr<Masks> masks_;               // the sender's
  std::vector<RoundKeys> keys_ = std::vector<RoundKeys>(kTrees * kLeaves);
};

// Makes the chunks [begin, end) one after the other: while one is transposed, the next is
// generated.
class ChunkRun {
 public:
  ChunkRun(const ExtensionKeys& keys, std::size_t begin, std::size_t end)
      : keys_(keys), at_(begin), end_(end) {
    if (at_ < end_) keys_.step(at_, &held(at_), nullptr, nullptr);
  }
  ChunkRun(const ChunkRun&) = delete;
  ChunkRun& operator=(const ChunkRun&) = delete;
  ~ChunkRun() { explicit_bzero(held_.get(), 2 * sizeof(CotChunk)); }

  bool done() const { return at_ == end_; }
  std::size_t ots() const { return keys_.ots_of(at_); }  // of the present chunk

  // Writes the labels of the present chunk, of which there is room for kChunkOts, and goes on to
  // the next one.
  void write(std::uint8_t* labels) {
    const bool last = at_ + 1 == end_;
    keys_.step(at_ + 1, last ? nullptr : &held(at_ + 1), &held(at_), labels);
    ++at_;
  }

 private:
  CotChunk& held(std::size_t chunk) { return held_[chunk % 2]; }

  const ExtensionKeys& keys_;
  std::size_t at_;
  std::size_t end_;
  std::unique_ptr<CotChunk[]> held_ = std::make_unique_for_overwrite<CotChunk[]>(2);
};

}  // namespace pi
