// INSECURE: arithmetic on values in the clear, for the protocol that measures the harness.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pi::plain {

// Describes the law of an activation whose value is not shared. `above` bits stand above the sign
// bit of the window.
struct Window {
  std::int32_t offset;
  int above;
  int shift;
  bool is_relu;
};

// Computes out[i] = ((x[i] + offset) << above) >> (above + shift), or 0 if that is negative, for a
// ReLU, and out[i] = (x[i] + offset) >> shift for a truncation. `index` has the `count` places i;
// null means all below `count`.
void activate(const Window& window, const std::uint32_t* x, const std::int64_t* index,
              std::size_t count, std::uint32_t* out);

// Sets out[channel][i] = values[channel] for one sample.
void fill_channels(const std::uint32_t* values, std::size_t channels, std::size_t pixels,
                   std::uint32_t* out);

}  // namespace pi::plain
