// Expands the hash keys of the places of a group together, for several groups at a time.
#pragma once
#include "symmetric/lanes.h"

namespace pi::fss {

// Holds one key per place and group. A place is a purpose, a position and the number of a table.
template <class Block4>
class PlaceKeys {
 public:
  PlaceKeys(const std::uint8_t* seed, std::uint32_t gadget) : seed_(seed), gadget_(gadget) {}

  // Adds a place before the first group, and returns its index.
  int add(Purpose purpose, int position, int sub) {
    places_[count_] = {purpose, gadget_, 0, static_cast<std::uint32_t>(position),
                       static_cast<std::uint8_t>(sub)};
    return count_++;
  }

  // Moves to a group. `left`: how many groups the caller visits from this one on, each after the
  // other.
  void begin_group(std::uint32_t group, std::size_t left) {
    if (at_ + 1 < held_) {
      ++at_;
      return;
    }
    at_ = 0;
    const auto places = static_cast<std::size_t>(count_);
    held_ = places == 0 || places > kTogether ? 1 : kTogether / places;
    if (held_ > left) held_ = left;
    std::uint8_t raw[kMostKeys][kBlockBytes];
    std::size_t filled = 0;
    for (std::size_t i = 0; i < held_; ++i) {
      for (int place = 0; place < count_; ++place, ++filled) {
        Tweak tweak = places_[place];
        tweak.group = group + static_cast<std::uint32_t>(i);
        tweaked_key(seed_, tweak, raw[filled]);
      }
    }
    expand_keys<Block4>(raw[0], static_cast<int>(filled), keys_);
  }
  const RoundKeys& operator[](int place) const {
    return keys_[at_ * static_cast<std::size_t>(count_) + static_cast<std::size_t>(place)];
  }

 private:
  static constexpr std::size_t kTogether = 32;
  static constexpr std::size_t kMostKeys = 48;  // exact: two tables of 15 bits, trees and products

  const std::uint8_t* seed_;
  std::uint32_t gadget_;
  int count_ = 0;
  std::size_t at_ = 0;
  std::size_t held_ = 0;
  Tweak places_[kMostKeys];
  RoundKeys keys_[kMostKeys];
};

}  // namespace pi::fss
