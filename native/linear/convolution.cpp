#include "linear/convolution.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "base/isa.h"
#include "base/parallel.h"
#include "linear/planes.h"
#include "linear/tile.h"

namespace pi::linear {
namespace {

constexpr std::size_t kThreadProducts = 1 << 21;  // about 20 us; less does not pay for a thread

#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2"); }

TileFunction function_of(Kernel kernel) {
  return kernel == Kernel::kVnni512 ? convolve_vnni512
         : kernel == Kernel::kAvx2  ? convolve_avx2
                                    : convolve_portable;
}

PlaneFunction plane_function_of(Kernel kernel) {
  return kernel == Kernel::kVnni512 ? convolve_planes_vnni512
         : kernel == Kernel::kAvx2  ? convolve_planes_avx2
                                    : convolve_planes_portable;
}
#else
bool has_avx2() { return false; }

TileFunction function_of(Kernel) { return convolve_portable; }
PlaneFunction plane_function_of(Kernel) { return convolve_planes_portable; }
#endif

TileJob job_of(const ConvolutionShape& shape) {
  const std::size_t pixel_words = 2 * shape.channel_pairs();
  TileJob job{};
  job.out_channels = shape.out_channels;
  job.out_pixels = shape.out_pixels();
  job.out_columns = shape.out_columns;
  job.kernel_rows = shape.kernel_rows;
  job.block_words = shape.taps() * shape.channel_pairs() * kBlockChannels;
  const std::size_t row_words = shape.padded_columns() * pixel_words;
  const bool dense = shape.dilation_columns == 1;
  job.tap_row_words = shape.dilation_rows * row_words;
  job.runs = dense ? 1 : shape.kernel_columns;
  job.run_words = dense ? shape.kernel_columns * pixel_words : pixel_words;
  job.run_step_words = shape.dilation_columns * pixel_words;
  job.row_stride_words = shape.stride_rows * row_words;
  job.column_stride_words = shape.stride_columns * pixel_words;
  return job;
}

// Every output channel of every sample reads the planes of its group.
void convolve_planes(Kernel kernel, const ConvolutionShape& shape, const std::int16_t* weights,
                     const std::uint32_t* shares, std::uint32_t multiplier,
                     const std::uint8_t* shift_bits, std::uint32_t* out, int threads) {
  const PlaneFunction convolve = plane_function_of(kernel);
  const ConvolutionShape group = shape.group();
  const std::size_t channel_weights = group.in_channels * shape.taps();
  PlaneJob job{};
  job.in_rows = shape.in_rows;
  job.in_columns = shape.in_columns;
  job.out_rows = shape.out_rows;
  job.out_columns = shape.out_columns;
  job.kernel_rows = shape.kernel_rows;
  job.kernel_columns = shape.kernel_columns;
  job.stride_rows = shape.stride_rows;
  job.stride_columns = shape.stride_columns;
  job.dilation_rows = shape.dilation_rows;
  job.dilation_columns = shape.dilation_columns;
  job.pad_top = shape.pad_top;
  job.pad_left = shape.pad_left;
  job.planes = group.in_channels;
  const std::size_t products = std::max<std::size_t>(1, channel_weights * shape.out_pixels());
  parallel_for(shape.batch * shape.out_channels, threads, kThreadProducts / (8 * products) + 1,
               [&](std::size_t begin, std::size_t end) {
                 PlaneJob part = job;
                 for (std::size_t i = begin; i < end; ++i) {
                   const std::size_t channel = i % shape.out_channels;
                   const std::size_t first =
                       i / shape.out_channels * shape.groups + channel / group.out_channels;
                   part.in = shares + first * group.in_channels * shape.in_plane();
                   part.weights = weights + channel * channel_weights;
                   part.factor = multiplier << shift_bits[channel];
                   part.out = out + i * shape.out_pixels();
                   convolve(part);
                 }
               });
}

}  // namespace

Kernel resolve_kernel(std::string_view request) {
  if (request.empty()) {
    const Isa isa = selected_isa();
    if (isa == Isa::kVaes512) return Kernel::kVnni512;
    return isa == Isa::kAesni && has_avx2() ? Kernel::kAvx2 : Kernel::kPortable;
  }
  if (request == "portable") return Kernel::kPortable;
  if (request == "avx2") {
    if (has_avx2()) return Kernel::kAvx2;
    throw UnsupportedCpu("this processor lacks AVX2");
  }
  if (request == "vnni512") {
    resolve_isa("vaes512");  // throws where it is not there
    return Kernel::kVnni512;
  }
  throw std::invalid_argument("no convolution kernel \"" + std::string(request) + "\"");
}

void convolve_add(Kernel kernel, const ConvolutionShape& shape, const std::int16_t* packed,
                  const std::uint32_t* shares, std::uint32_t multiplier,
                  const std::uint8_t* shift_bits, std::uint32_t* workspace, std::uint32_t* out,
                  int threads) {
  if (shape.by_planes()) {
    convolve_planes(kernel, shape, packed, shares, multiplier, shift_bits, out, threads);
    return;
  }
  const TileFunction convolve = function_of(kernel);
  const ConvolutionShape group = shape.group();
  const std::size_t blocks = (group.out_channels + kBlockChannels - 1) / kBlockChannels;
  const std::size_t block_products = std::max<std::size_t>(
      1, group.taps() * group.in_channels * kBlockChannels * group.out_pixels());
  TileJob job = job_of(group);
  job.workspace = workspace;
  job.multiplier = multiplier;
  for (std::size_t part = 0; part < shape.batch * shape.groups; ++part) {
    const std::size_t g = part % shape.groups;
    pack_sample(group, shares + part * group.in_channels * shape.in_plane(), workspace);
    job.packed = packed + g * packed_weight_count(group);
    job.shift_bits = shift_bits + g * group.out_channels;
    job.out = out + part * group.out_channels * shape.out_pixels();
    parallel_for(blocks, threads, kThreadProducts / block_products + 1,
                 [&](std::size_t begin, std::size_t end) { convolve(job, begin, end); });
  }
}

}  // namespace pi::linear
