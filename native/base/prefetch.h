// Reads memory before it is needed, so that the next step finds its data in the cache.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace pi {

// Goes once through its ranges, in their order. Neither the time nor anything else depends on what
// they hold.
class Prefetch {
 public:
  static constexpr std::size_t kLineBytes = 64;
  // What is read earlier than this before its use may have left the second-level cache again.
  static constexpr std::size_t kReachBytes = 1 << 20;

  struct Range {
    const std::uint8_t* data;
    std::size_t size;
  };

  explicit Prefetch(std::vector<Range> ranges) : ranges_(std::move(ranges)) {}

  // Leaves out the first `count` ranges, which are not needed any more.
  void drop(std::size_t count) {
    count = std::min(count, ranges_.size());
    for (; dropped_ < count; ++dropped_) {
      ahead_ -= std::min(ahead_, dropped_ == next_ ? position_ : ranges_[dropped_].size);
      if (dropped_ == next_) {
        ++next_;
        position_ = 0;
      }
    }
  }

  // Reads the next `most_bytes` bytes of one range, or what is left of it. Returns false where
  // nothing is left, or nothing that will be needed soon.
  bool step(std::size_t most_bytes) {
    while (next_ < ranges_.size() && position_ == ranges_[next_].size) {
      ++next_;
      position_ = 0;
    }
    if (next_ == ranges_.size() || ahead_ >= kReachBytes) return false;
    const Range& range = ranges_[next_];
    const std::size_t stop = std::min(range.size, position_ + most_bytes);
    for (std::size_t at = position_; at < stop; at += kLineBytes) {
      // A load, since the processor may drop the hint of a prefetch whose page is not in its table.
      (void)*static_cast<const volatile std::uint8_t*>(range.data + at);
    }
    ahead_ += stop - position_;
    position_ = stop;
    return true;
  }

 private:
  std::vector<Range> ranges_;
  std::size_t dropped_ = 0;
  std::size_t next_ = 0;
  std::size_t position_ = 0;  // in the next range
  std::size_t ahead_ = 0;     // bytes that have been read and not been dropped
};

}  // namespace pi
