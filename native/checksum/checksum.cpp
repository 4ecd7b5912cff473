#include "checksum/checksum.h"

#include <algorithm>
#include <cstring>

#include "checksum/products.h"
#include "symmetric/symmetric.h"

namespace pi {

Checksum::Checksum(Isa isa, const std::uint8_t* seed) : kernels_(&PI_KERNELS(isa, kProducts)) {
  prg(isa, seed, 0, key_, sizeof key_);
  std::uint8_t bytes[sizeof multiplier_];
  prg(isa, seed, kBlockBytes / kWordBytes, bytes, sizeof bytes);
  std::memcpy(multiplier_, bytes, sizeof bytes);
}

void Checksum::update(const std::uint8_t* data, std::size_t byte_count) {
  while (byte_count != 0) {
    std::size_t taken;
    if (word_fill_ != 0 || byte_count < kWordBytes) {
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

void Checksum::end_block() {
  value_[0] ^= block_[0] ^ (position_ + word_fill_);
  value_[1] ^= block_[1];
  kernels_->multiply(value_, multiplier_);
  block_[0] = block_[1] = 0;
  position_ = word_fill_ = 0;
}

void Checksum::digest(std::uint8_t* out) const { std::memcpy(out, value_, sizeof value_); }

}  // namespace pi
