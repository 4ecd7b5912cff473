// Convolves by tiles: a tile of outputs stays in registers while the kernel reads all channels.
// Lanes are output channels, so that maps of any size fill them, and no input window is ever
// copied.
//
// V is a vector type of one instruction set, unique to the file that includes this:
//   kWords                    32-bit lanes
//   kPixels                   pixels of a tile: 4 * kPixels accumulators, 2 weights and a broadcast
//                             must fit the registers
//   load, store, zero, splat  of kWords words, of one word
//   dot(sum, x, y)            sum + the two 16-bit products in each lane, wrapping
//   join(low, high)           low + (high << 16)
#pragma once
#include <cstddef>
#include <cstdint>

#include "linear/convolution.h"

namespace pi::linear {

// Describes one packed sample, as for convolve_add(), in plain numbers: a function of another
// header that was instantiated under an instruction set's flags could end up in processors that
// lack it.
struct TileJob {
  std::size_t out_channels, out_pixels, out_columns, kernel_rows;
  std::size_t block_words;                            // packed weights of 32 channels
  std::size_t tap_row_words;                          // from one row of the kernel to the next
  std::size_t runs, run_words, run_step_words;        // the extent of a row of the kernel
  std::size_t row_stride_words, column_stride_words;  // from an output's input to the next one's
  const std::int16_t* packed;
  const std::uint32_t* workspace;
  std::uint32_t multiplier;
  const std::uint8_t* shift_bits;
  std::uint32_t* out;  // of the sample
};
// Adds the outputs of channels [first_block * 32, last_block * 32).
using TileFunction = void (*)(const TileJob& job, std::size_t first_block, std::size_t last_block);

void convolve_portable(const TileJob& job, std::size_t first_block, std::size_t last_block);
void convolve_avx2(const TileJob& job, std::size_t first_block, std::size_t last_block);
void convolve_vnni512(const TileJob& job, std::size_t first_block, std::size_t last_block);

template <class V>
class Convolver {
 public:
  static void run(const TileJob& job, std::size_t first_block, std::size_t last_block) {
    const auto* weights = reinterpret_cast<const std::uint32_t*>(job.packed);
    for (std::size_t block = first_block; block < last_block; ++block) {
      for (std::size_t part = 0; part < kBlockChannels; part += kTileChannels) {
        const std::size_t channel = block * kBlockChannels + part;
        if (channel >= job.out_channels) break;
        sweep(job, weights + block * job.block_words + part, channel);
      }
    }
  }

 private:
  using Vector = typename V::Vector;
  static constexpr std::size_t kTileChannels = 2 * V::kWords;
  static constexpr std::size_t kAheadBytes = 4096;

  static void sweep(const TileJob& job, const std::uint32_t* weights, std::size_t channel) {
    const std::size_t pixels = job.out_pixels;
    std::size_t pixel = 0;
    if (pixels >= V::kPixels) {
      tile<V::kPixels, true>(job, weights, channel, 0);
      pixel = V::kPixels;
    } else {
      rest<V::kPixels - 1, true>(job, weights, channel, 0, pixels);
      pixel = pixels;
    }
    for (; pixel + V::kPixels <= pixels; pixel += V::kPixels) {
      tile<V::kPixels, false>(job, weights, channel, pixel);
    }
    rest<V::kPixels - 1, false>(job, weights, channel, pixel, pixels - pixel);
  }

  template <std::size_t kCount, bool kFirst>
  static void rest(const TileJob& job, const std::uint32_t* weights, std::size_t channel,
                   std::size_t pixel, std::size_t count) {
    if constexpr (kCount > 0) {
      if (count == kCount) {
        tile<kCount, kFirst>(job, weights, channel, pixel);
      } else {
        rest<kCount - 1, kFirst>(job, weights, channel, pixel, count);
      }
    }
  }

  // The first tile of the channels brings their weights from memory, which the processor by itself
  // fetches up to the next page only.
  template <std::size_t kCount, bool kFirst>
  static void tile(const TileJob& job, const std::uint32_t* weights, std::size_t channel,
                   std::size_t first_pixel) {
    const std::uint32_t* origin[kCount];
    for (std::size_t p = 0; p < kCount; ++p) {
      const std::size_t row = (first_pixel + p) / job.out_columns;
      const std::size_t column = (first_pixel + p) % job.out_columns;
      origin[p] = job.workspace + row * job.row_stride_words + column * job.column_stride_words;
    }
    Vector low[kCount][2], high[kCount][2];
    for (std::size_t p = 0; p < kCount; ++p) {
      low[p][0] = low[p][1] = high[p][0] = high[p][1] = V::zero();
    }
    // The pixels of one kernel row are neighbors, whose channels form one run, unless it is
    // dilated.
    for (std::size_t tap_row = 0; tap_row < job.kernel_rows; ++tap_row) {
      for (std::size_t run = 0; run < job.runs; ++run) {
        const std::size_t begin = run * job.run_step_words;
        for (std::size_t at = begin; at < begin + job.run_words;
             at += 2, weights += kBlockChannels) {
          const Vector first = V::load(weights);
          const Vector second = V::load(weights + V::kWords);
          if constexpr (kFirst) {
            const auto* ahead = reinterpret_cast<const char*>(weights) + kAheadBytes;
            __builtin_prefetch(ahead);
            __builtin_prefetch(ahead + 64);
          }
#pragma GCC unroll 8
          for (std::size_t p = 0; p < kCount; ++p) {
            const Vector x = V::splat(origin[p][at]);
            low[p][0] = V::dot(low[p][0], x, first);
            low[p][1] = V::dot(low[p][1], x, second);
            const Vector y = V::splat(origin[p][at + 1]);
            high[p][0] = V::dot(high[p][0], y, first);
            high[p][1] = V::dot(high[p][1], y, second);
          }
        }
      }
      for (std::size_t p = 0; p < kCount; ++p) origin[p] += job.tap_row_words;
    }
    std::uint32_t sums[kCount][kTileChannels];
    for (std::size_t p = 0; p < kCount; ++p) {
      V::store(sums[p], V::join(low[p][0], high[p][0]));
      V::store(sums[p] + V::kWords, V::join(low[p][1], high[p][1]));
    }
    const std::size_t left = job.out_channels - channel;
    const std::size_t channels = left < kTileChannels ? left : kTileChannels;
    for (std::size_t c = 0; c < channels; ++c) {
      const std::uint32_t factor = job.multiplier << job.shift_bits[channel + c];
      std::uint32_t* to = job.out + (channel + c) * job.out_pixels + first_pixel;
      for (std::size_t p = 0; p < kCount; ++p) to[p] += sums[p][c] * factor;
    }
  }
};

}  // namespace pi::linear
