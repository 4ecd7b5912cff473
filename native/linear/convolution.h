// Computes convolutions and matrix-vector products of 16-bit integer weights with words of Z_2^32,
// exactly for every weight and every size. A word is split into two signed 16-bit limbs, whose
// products add up in 32-bit lanes that wrap as the ring does.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pi::linear {

// Describes a convolution: weights (out_channels, in_channels / groups, kernel_rows,
// kernel_columns), operands in NCHW order. Zeros surround the input; those below and to the right
// follow from the number of outputs. A fully connected operator has one row and one column
// everywhere.
struct ConvolutionShape {
  std::size_t batch, in_channels, in_rows, in_columns;
  std::size_t out_channels, out_rows, out_columns;
  std::size_t kernel_rows, kernel_columns, stride_rows, stride_columns, pad_top, pad_left;
  std::size_t dilation_rows, dilation_columns;
  std::size_t groups;  // divides both channel counts

  std::size_t taps() const { return kernel_rows * kernel_columns; }
  std::size_t in_plane() const { return in_rows * in_columns; }
  std::size_t out_pixels() const { return out_rows * out_columns; }
  std::size_t padded_rows() const {
    return (out_rows - 1) * stride_rows + (kernel_rows - 1) * dilation_rows + 1;
  }
  std::size_t padded_columns() const {
    return (out_columns - 1) * stride_columns + (kernel_columns - 1) * dilation_columns + 1;
  }
  std::size_t channel_pairs() const { return (in_channels + 1) / 2; }
  // Whether the shape is computed plane by plane: a group with few outputs would leave most lanes
  // of a tile empty.
  bool by_planes() const { return groups > 1 && out_channels / groups < 8; }
  ConvolutionShape group() const {
    ConvolutionShape part = *this;
    part.in_channels /= groups;
    part.out_channels /= groups;
    part.groups = 1;
    return part;
  }
};

// Output channels per packed block; the last block is filled up with zeros.
inline constexpr std::size_t kBlockChannels = 32;

// Returns how many int16 weights pack_weights() writes, one group after the other. They are
// unchanged if the shape is computed by planes, else [block][tap][channel pair][32 outputs][2
// channels].
std::size_t packed_weight_count(const ConvolutionShape& shape);
void pack_weights(const ConvolutionShape& shape, const std::int16_t* weights, std::int16_t* packed);

// Returns how many words convolve_add() needs for one packed group: [row][column][channel
// pair][low, high].
std::size_t workspace_words(const ConvolutionShape& shape);
// Packs one sample, in CHW order, of a shape of one group.
void pack_sample(const ConvolutionShape& shape, const std::uint32_t* sample,
                 std::uint32_t* workspace);

enum class Kernel { kPortable, kAvx2, kVnni512 };

// Returns the kernel of that name: "" (the best that base/isa.h allows here), "portable", "avx2" or
// "vnni512". Throws std::invalid_argument for another name and UnsupportedCpu where the processor
// lacks it.
Kernel resolve_kernel(std::string_view request);

// Computes out[n][channel] += (convolution(shares)[n][channel] * multiplier) <<
// shift_bits[channel], mod 2^32. shift_bits are below 32. The time depends on the shape alone.
void convolve_add(Kernel kernel, const ConvolutionShape& shape, const std::int16_t* packed,
                  const std::uint32_t* shares, std::uint32_t multiplier,
                  const std::uint8_t* shift_bits, std::uint32_t* workspace, std::uint32_t* out,
                  int threads);

// Computes out[channel][i] += (x[channel][i] * multiplier) << shift_bits[channel], mod 2^32, for
// one sample.
void scale_add(const std::uint32_t* x, std::size_t channels, std::size_t pixels,
               std::uint32_t multiplier, const std::uint8_t* shift_bits, std::uint32_t* out);

}  // namespace pi::linear
