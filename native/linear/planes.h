// Convolves plane by plane, for groups of few channels. One output channel is a sum of shifted
// input planes, each times one weight mod 2^32. Lanes are the pixels of a row; the compiler makes
// them from the plain loops below under the flags of the file that includes this.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pi::linear {

// Describes one output channel of one sample, as for convolve_add(), in plain numbers as TileJob.
struct PlaneJob {
  std::size_t in_rows, in_columns, out_rows, out_columns, kernel_rows, kernel_columns;
  std::size_t stride_rows, stride_columns, dilation_rows, dilation_columns, pad_top, pad_left;
  std::size_t planes;           // that the channel reads
  const std::uint32_t* in;      // the first of them
  const std::int16_t* weights;  // (planes, kernel_rows, kernel_columns)
  std::uint32_t factor;
  std::uint32_t* out;
};
using PlaneFunction = void (*)(const PlaneJob& job);

void convolve_planes_portable(const PlaneJob& job);
void convolve_planes_avx2(const PlaneJob& job);
void convolve_planes_vnni512(const PlaneJob& job);

namespace {  // one copy per file, so that none ends up in processors that lack its instructions

// Finds the outputs [begin, end) of one axis whose input, at index * stride + tap - pad, exists.
struct PlaneRange {
  std::size_t begin, end;
};
inline PlaneRange outputs_inside(std::size_t outputs, std::size_t inputs, std::size_t stride,
                                 std::size_t tap, std::size_t pad) {
  const std::size_t begin = tap >= pad ? 0 : (pad - tap + stride - 1) / stride;
  const std::size_t limit = inputs + pad;  // index * stride + tap < limit
  const std::size_t end = limit <= tap ? 0 : (limit - tap + stride - 1) / stride;
  return {begin, end < outputs ? end : outputs};
}

inline void add_row(const std::uint32_t* x, std::size_t stride, std::size_t count,
                    std::uint32_t weight, std::uint32_t* out) {
  if (stride == 1) {
    for (std::size_t i = 0; i < count; ++i) out[i] += x[i] * weight;
  } else if (stride == 2) {
    for (std::size_t i = 0; i < count; ++i) out[i] += x[2 * i] * weight;
  } else {
    for (std::size_t i = 0; i < count; ++i) out[i] += x[i * stride] * weight;
  }
}

inline void convolve_plane_job(const PlaneJob& job) {
  const std::int16_t* weight = job.weights;
  for (std::size_t plane = 0; plane < job.planes; ++plane) {
    const std::uint32_t* in = job.in + plane * job.in_rows * job.in_columns;
    for (std::size_t i = 0; i < job.kernel_rows; ++i) {
      const std::size_t down = i * job.dilation_rows;
      const PlaneRange rows =
          outputs_inside(job.out_rows, job.in_rows, job.stride_rows, down, job.pad_top);
      for (std::size_t j = 0; j < job.kernel_columns; ++j, ++weight) {
        const std::size_t across = j * job.dilation_columns;
        const PlaneRange columns = outputs_inside(job.out_columns, job.in_columns,
                                                  job.stride_columns, across, job.pad_left);
        if (columns.begin >= columns.end) continue;
        const std::uint32_t scaled = static_cast<std::uint32_t>(*weight) * job.factor;
        for (std::size_t row = rows.begin; row < rows.end; ++row) {
          const std::size_t from = (row * job.stride_rows + down - job.pad_top) * job.in_columns +
                                   columns.begin * job.stride_columns + across - job.pad_left;
          add_row(in + from, job.stride_columns, columns.end - columns.begin, scaled,
                  job.out + row * job.out_columns + columns.begin);
        }
      }
    }
  }
}

}  // namespace
}  // namespace pi::linear
