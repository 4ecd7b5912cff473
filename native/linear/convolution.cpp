#include "linear/convolution.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "base/isa.h"
#include "base/parallel.h"
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
#else
bool has_avx2() { return false; }

TileFunction function_of(Kernel) { return convolve_portable; }
#endif

TileJob job_of(const ConvolutionShape& shape) {
  const std::size_t pixel_words = 2 * shape.channel_pairs();
  TileJob job{};
  job.out_channels = shape.out_channels;
  job.out_pixels = shape.out_pixels();
  job.out_columns = shape.out_columns;
  job.kernel_rows = shape.kernel_rows;
  job.block_words = shape.taps() * shape.channel_pairs() * kBlockChannels;
  job.row_words = shape.padded_columns() * pixel_words;
  job.run_words = shape.kernel_columns * pixel_words;
  job.row_stride_words = shape.stride_rows * job.row_words;
  job.column_stride_words = shape.stride_columns * pixel_words;
  return job;
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
  const TileFunction convolve = function_of(kernel);
  const std::size_t blocks = (shape.out_channels + kBlockChannels - 1) / kBlockChannels;
  const std::size_t block_products = std::max<std::size_t>(
      1, shape.taps() * shape.in_channels * kBlockChannels * shape.out_pixels());
  TileJob job = job_of(shape);
  job.packed = packed;
  job.workspace = workspace;
  job.multiplier = multiplier;
  job.shift_bits = shift_bits;
  for (std::size_t n = 0; n < shape.batch; ++n) {
    pack_sample(shape, shares + n * shape.in_channels * shape.in_rows * shape.in_columns,
                workspace);
    job.out = out + n * shape.out_channels * shape.out_pixels();
    parallel_for(blocks, threads, kThreadProducts / block_products + 1,
                 [&](std::size_t begin, std::size_t end) { convolve(job, begin, end); });
  }
}

}  // namespace pi::linear
