#include "plain/plain.h"

#include <algorithm>

namespace pi::plain {
namespace {

std::uint32_t relu(const Window& window, std::uint32_t x) {
  const std::uint32_t moved = (x + static_cast<std::uint32_t>(window.offset)) << window.above;
  const std::int32_t y = static_cast<std::int32_t>(moved) >> (window.above + window.shift);
  return static_cast<std::uint32_t>(std::max(y, 0));
}

std::uint32_t truncate(const Window& window, std::uint32_t x) {
  const std::uint32_t moved = x + static_cast<std::uint32_t>(window.offset);
  return static_cast<std::uint32_t>(static_cast<std::int32_t>(moved) >> window.shift);
}

template <class Function>
void apply(Function function, const Window& window, const std::uint32_t* x,
           const std::int64_t* index, std::size_t count, std::uint32_t* out) {
  if (index == nullptr) {
    for (std::size_t i = 0; i < count; ++i) out[i] = function(window, x[i]);
  } else {
    for (std::size_t i = 0; i < count; ++i) out[index[i]] = function(window, x[index[i]]);
  }
}

}  // namespace

void activate(const Window& window, const std::uint32_t* x, const std::int64_t* index,
              std::size_t count, std::uint32_t* out) {
  const Window held = window;  // so that the compiler knows that `out` does not change it
  if (window.is_relu) {
    apply([](const Window& w, std::uint32_t v) { return relu(w, v); }, held, x, index, count, out);
  } else {
    apply([](const Window& w, std::uint32_t v) { return truncate(w, v); }, held, x, index, count,
          out);
  }
}

void fill_channels(const std::uint32_t* values, std::size_t channels, std::size_t pixels,
                   std::uint32_t* out) {
  for (std::size_t channel = 0; channel < channels; ++channel) {
    std::fill_n(out + channel * pixels, pixels, values[channel]);
  }
}

}  // namespace pi::plain
