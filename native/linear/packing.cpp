#include <algorithm>
#include <cstring>

#include "linear/convolution.h"

namespace pi::linear {
namespace {

std::size_t block_count(const ConvolutionShape& shape) {
  return (shape.out_channels + kBlockChannels - 1) / kBlockChannels;
}

// x = low + 2^16 * high with low in [-2^15, 2^15): two channels' lows in a word, then their highs.
void store_limbs(std::uint32_t even, std::uint32_t odd, std::uint32_t* to) {
  to[0] = (even & 0xFFFF) | (odd << 16);
  to[1] = ((even + 0x8000) >> 16) | ((odd + 0x8000) & 0xFFFF0000);
}

void pack_group(const ConvolutionShape& shape, const std::int16_t* weights, std::int16_t* packed) {
  const std::size_t taps = shape.taps();
  std::fill_n(packed, packed_weight_count(shape), std::int16_t{0});
  for (std::size_t out = 0; out < shape.out_channels; ++out) {
    std::int16_t* block =
        packed + out / kBlockChannels * taps * shape.channel_pairs() * 2 * kBlockChannels;
    for (std::size_t in = 0; in < shape.in_channels; ++in) {
      for (std::size_t tap = 0; tap < taps; ++tap) {
        const std::size_t row = tap * shape.channel_pairs() + in / 2;
        block[(row * kBlockChannels + out % kBlockChannels) * 2 + in % 2] =
            weights[(out * shape.in_channels + in) * taps + tap];
      }
    }
  }
}

}  // namespace

std::size_t packed_weight_count(const ConvolutionShape& shape) {
  const ConvolutionShape group = shape.group();
  if (shape.by_planes()) return shape.out_channels * group.in_channels * shape.taps();
  return shape.groups * block_count(group) * group.taps() * group.channel_pairs() * 2 *
         kBlockChannels;
}

void pack_weights(const ConvolutionShape& shape, const std::int16_t* weights,
                  std::int16_t* packed) {
  if (shape.by_planes()) {
    std::copy_n(weights, packed_weight_count(shape), packed);
    return;
  }
  const ConvolutionShape group = shape.group();
  for (std::size_t g = 0; g < shape.groups; ++g) {
    pack_group(group, weights + g * group.out_channels * group.in_channels * group.taps(),
               packed + g * packed_weight_count(group));
  }
}

std::size_t workspace_words(const ConvolutionShape& shape) {
  if (shape.by_planes()) return 0;
  return shape.padded_rows() * shape.padded_columns() * shape.group().channel_pairs() * 2;
}

void pack_sample(const ConvolutionShape& shape, const std::uint32_t* sample,
                 std::uint32_t* workspace) {
  const std::size_t pairs = shape.channel_pairs();
  const std::size_t pixel_words = 2 * pairs;
  const std::size_t row_words = shape.padded_columns() * pixel_words;
  const std::size_t plane = shape.in_rows * shape.in_columns;
  // Columns of the input that some output reads.
  const std::size_t left = std::min(shape.pad_left, shape.padded_columns());
  const std::size_t columns = std::min(shape.in_columns, shape.padded_columns() - left);
  for (std::size_t row = 0; row < shape.padded_rows(); ++row) {
    std::uint32_t* to = workspace + row * row_words;
    if (row < shape.pad_top || row - shape.pad_top >= shape.in_rows) {
      std::fill_n(to, row_words, 0u);
      continue;
    }
    std::fill_n(to, left * pixel_words, 0u);
    to += left * pixel_words;
    std::fill_n(to + columns * pixel_words, row_words - (left + columns) * pixel_words, 0u);
    const std::uint32_t* from = sample + (row - shape.pad_top) * shape.in_columns;
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      const std::uint32_t* even = from + 2 * pair * plane;
      const bool single = 2 * pair + 1 == shape.in_channels;
      const std::uint32_t* odd = single ? even : even + plane;
      const std::uint32_t keep = single ? 0u : ~0u;
      for (std::size_t x = 0; x < columns; ++x) {
        store_limbs(even[x], odd[x] & keep, to + x * pixel_words + 2 * pair);
      }
    }
  }
}

void scale_add(const std::uint32_t* x, std::size_t channels, std::size_t pixels,
               std::uint32_t multiplier, const std::uint8_t* shift_bits, std::uint32_t* out) {
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const std::uint32_t factor = multiplier << shift_bits[channel];
    for (std::size_t i = channel * pixels; i < (channel + 1) * pixels; ++i) out[i] += x[i] * factor;
  }
}

}  // namespace pi::linear
