// Implements the kernels of symmetric.h as templates; each instruction set instantiates them once.
#pragma once
#include <cstddef>
#include <cstdint>

#include "symmetric/aes.h"

namespace pi {

struct SymmetricKernels {
  void (*encrypt_blocks)(const std::uint8_t* key, const std::uint8_t* in, std::size_t block_count,
                         std::uint8_t* out);
  void (*prg)(const std::uint8_t* seed, std::uint64_t first_block, std::uint8_t* out,
              std::size_t byte_count);
  void (*hash_labels)(const std::uint8_t* seed, const Tweak& tweak, std::size_t group_count,
                      const std::uint8_t* labels, const std::uint8_t* offset, std::uint8_t* out);
  void (*hash_for_halves)(const std::uint8_t* seed, const Tweak& tweak, const std::uint8_t* labels,
                          std::uint8_t* out);
};

extern const SymmetricKernels kSymmetricPortable;
extern const SymmetricKernels kSymmetricAesni;
extern const SymmetricKernels kSymmetricVaes512;

template <class Block4>
struct SymmetricTemplates {
  static constexpr int kN = Block4::kInFlight;
  static constexpr std::size_t kChunkBlocks = 4 * kN;

  static void encrypt_blocks(const std::uint8_t* key, const std::uint8_t* in,
                             std::size_t block_count, std::uint8_t* out) {
    RoundKeys keys;
    expand_keys<Block4>(key, 1, &keys);
    alignas(64) std::uint8_t chunk[kChunkBlocks * kBlockBytes] = {};
    for (std::size_t done = 0; done < block_count; done += kChunkBlocks) {
      const std::size_t left = block_count - done;
      const std::size_t bytes = kBlockBytes * (left < kChunkBlocks ? left : kChunkBlocks);
      std::memcpy(chunk, in + kBlockBytes * done, bytes);
      encrypt_chunk(chunk, keys);
      std::memcpy(out + kBlockBytes * done, chunk, bytes);
    }
  }

  static void prg(const std::uint8_t* seed, std::uint64_t first_block, std::uint8_t* out,
                  std::size_t byte_count) {
    RoundKeys keys;
    expand_keys<Block4>(seed, 1, &keys);
    alignas(64) std::uint64_t chunk[kChunkBlocks][2];
    for (std::size_t done = 0; done < byte_count; done += sizeof chunk) {
      for (std::size_t i = 0; i < kChunkBlocks; ++i) {
        chunk[i][0] = first_block++;
        chunk[i][1] = 0;
      }
      encrypt_chunk(chunk, keys);
      const std::size_t left = byte_count - done;
      std::memcpy(out + done, chunk, left < sizeof chunk ? left : sizeof chunk);
    }
  }

  static void hash_labels(const std::uint8_t* seed, const Tweak& tweak, std::size_t group_count,
                          const std::uint8_t* labels, const std::uint8_t* offset,
                          std::uint8_t* out) {
    const Block4 shift = offset == nullptr ? Block4::zero() : Block4::broadcast(offset);
    constexpr std::size_t kKeys = 16;  // groups whose keys are expanded together
    std::uint8_t raw[kKeys][kBlockBytes];
    RoundKeys keys[kKeys];
    for (std::size_t first = 0; first < group_count; first += kKeys) {
      const std::size_t count = group_count - first < kKeys ? group_count - first : kKeys;
      for (std::size_t i = 0; i < count; ++i) {
        Tweak at = tweak;
        at.group += static_cast<std::uint32_t>(first + i);
        tweaked_key(seed, at, raw[i]);
      }
      expand_keys<Block4>(raw[0], static_cast<int>(count), keys);
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t group_at = (first + i) * kLanes * kBlockBytes;
        for (int lane = 0; lane < kLanes; lane += 4 * kN) {
          Block4 x[kN];
          Block4 h[kN];
          const std::size_t at = group_at + static_cast<std::size_t>(lane * kBlockBytes);
          for (int k = 0; k < kN; ++k) x[k] = Block4::load(labels + at + 64 * k) ^ shift;
          hash<kN>(x, h, keys[i]);
          for (int k = 0; k < kN; ++k) h[k].store(out + at + 64 * k);
        }
      }
    }
  }

  static void hash_for_halves(const std::uint8_t* seed, const Tweak& tweak,
                              const std::uint8_t* labels, std::uint8_t* out) {
    std::uint8_t raw[kBlockBytes];
    RoundKeys keys;
    tweaked_key(seed, tweak, raw);
    expand_keys<Block4>(raw, 1, &keys);
    for (int lane = 0; lane < kLanes; lane += 4 * kN) {
      Block4 x[kN];
      Block4 h[kN];
      const auto at = static_cast<std::size_t>(lane * kBlockBytes);
      for (int k = 0; k < kN; ++k) h[k] = x[k] = Block4::load(labels + at + 64 * k);
      encrypt<kN>(h, keys);
      for (int k = 0; k < kN; ++k) (h[k] ^ x[k].words_rotated()).store(out + at + 64 * k);
    }
  }

  static constexpr SymmetricKernels kTable = {encrypt_blocks, prg, hash_labels, hash_for_halves};

 private:
  static void encrypt_chunk(void* chunk, const RoundKeys& keys) {
    auto* bytes = static_cast<std::uint8_t*>(chunk);
    Block4 x[kN];
    for (int i = 0; i < kN; ++i) x[i] = Block4::load(bytes + 64 * i);
    encrypt<kN>(x, keys);
    for (int i = 0; i < kN; ++i) x[i].store(bytes + 64 * i);
  }
};

}  // namespace pi
