#include "checksum/checksum.h"

#include <algorithm>
#include <cstring>

#include "symmetric/symmetric.h"

namespace pi {

Checksum::Checksum(Isa isa, const std::uint8_t* seed) : kernels_(&PI_KERNELS(isa, kProducts)) {
  prg(isa, seed, 0, key_, sizeof key_);
  std::uint8_t bytes[sizeof powers_[0]];
  prg(isa, seed, kBlockBytes / kWordBytes, bytes, sizeof bytes);
  std::memcpy(powers_[0], bytes, sizeof bytes);
  for (std::size_t i = 1; i < kBlocksAtOnce; ++i) {
    std::memcpy(powers_[i], powers_[i - 1], sizeof bytes);
    kernels_->multiply(powers_[i], powers_[0]);
  }
}

void Checksum::update(const std::uint8_t* data, std::size_t byte_count) {
  while (byte_count != 0) {
    std::size_t taken;
    if (word_fill_ == 0 && position_ == 0 && byte_count >= kBlocksAtOnce * kBlockBytes) {
      std::uint64_t sums[kBlocksAtOnce][2] = {};
      kernels_->add_blocks(key_, data, kBlockBytes / kWordBytes, sums);
      end_blocks(sums);
      taken = kBlocksAtOnce * kBlockBytes;
    } else if (word_fill_ != 0 || byte_count < kWordBytes) {
      taken = std::min(byte_count, kWordBytes - word_fill_);
      std::memcpy(word_ + word_fill_, data, taken);
      word_fill_ += taken;
      if (word_fill_ == kWordBytes) {
        kernels_->add_products(key_ + position_, word_, 1, block_);
        position_ += kWordBytes;
        word_fill_ = 0;
      }
    } else {
      const std::size_t words = std::min(byte_count, kBlockBytes - position_) / kWordBytes;
      kernels_->add_products(key_ + position_, data, words, block_);
      taken = words * kWordBytes;
      position_ += taken;
    }
    data += taken;
    byte_count -= taken;
    if (position_ == kBlockBytes) end_block();
  }
}

void Checksum::end_item() {
  if (word_fill_ != 0) {
    std::memset(word_ + word_fill_, 0, kWordBytes - word_fill_);
    kernels_->add_products(key_ + position_, word_, 1, block_);
  }
  if (position_ + word_fill_ != 0) end_block();
}

void Checksum::end_blocks(std::uint64_t (*sums)[2]) {
  // Horner's rule over several blocks at once: the products do not wait for each other.
  std::uint64_t total[2] = {0, 0};
  for (std::size_t b = 0; b < kBlocksAtOnce; ++b) {
    std::uint64_t* block = sums[b];
    block[0] ^= kBlockBytes ^ (b == 0 ? value_[0] : 0);
    block[1] ^= b == 0 ? value_[1] : 0;
    kernels_->multiply(block, powers_[kBlocksAtOnce - 1 - b]);
    total[0] ^= block[0];
    total[1] ^= block[1];
  }
  std::memcpy(value_, total, sizeof value_);
}

void Checksum::end_block() {
  value_[0] ^= block_[0] ^ (position_ + word_fill_);
  value_[1] ^= block_[1];
  kernels_->multiply(value_, powers_[0]);
  block_[0] = block_[1] = 0;
  position_ = word_fill_ = 0;
}

void Checksum::digest(std::uint8_t* out) const { std::memcpy(out, value_, sizeof value_); }

}  // namespace pi
