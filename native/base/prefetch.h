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

  struct Range {
    const std::uint8_t* data;
    std::size_t size;
  };

  explicit Prefetch(std::vector<Range> ranges) : ranges_(std::move(ranges)) { skip_empty(); }

  // Reads the next `most_bytes` bytes of one range, or what is left of it. Returns false where
  // nothing is left at all.
  bool step(std::size_t most_bytes) {
    if (next_ == ranges_.size()) return false;
    const Range& range = ranges_[next_];
    const std::size_t stop = std::min(range.size, position_ + most_bytes);
    for (; position_ < stop; position_ += kLineBytes) {
      // A load, since the processor may drop the hint of a prefetch whose page is not in its table.
      (void)*static_cast<const volatile std::uint8_t*>(range.data + position_);
    }
    if (position_ >= range.size) {
      ++next_;
      position_ = 0;
      skip_empty();
    }
    return true;
  }

 private:
  void skip_empty() {
    while (next_ < ranges_.size() && ranges_[next_].size == 0) ++next_;
  }

  std::vector<Range> ranges_;
  std::size_t next_ = 0;
  std::size_t position_ = 0;
};

}  // namespace pi
