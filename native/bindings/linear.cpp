#include <pybind11/stl.h>

#include <array>

#include "bindings/buffers.h"
#include "bindings/modules.h"
#include "linear/convolution.h"

namespace py = pybind11;
using pi::python::Integer;
using pi::python::ReadView;
using pi::python::Text;
using pi::python::WriteView;

namespace {

using Extents = std::array<std::size_t, 4>;
using Pair = std::array<std::size_t, 2>;

constexpr std::size_t kMaxExtent = 1 << 20;  // so the product of two extents fits a size_t
constexpr std::size_t kMaxItems = std::size_t{1} << 40;

// Holds a shape and the sizes of its buffers. The constructor refuses extents that memory cannot
// hold.
struct Convolution {
  pi::linear::ConvolutionShape shape;
  std::size_t in_count, out_count, weight_count;

  Convolution(const Extents& in, const Extents& out, const Pair& kernel, const Pair& stride,
              const Pair& padding, const Pair& dilation, std::size_t groups)
      : shape{in[0],      in[1],       in[2],       in[3],     out[1],    out[2],
              out[3],     kernel[0],   kernel[1],   stride[0], stride[1], padding[0],
              padding[1], dilation[0], dilation[1], groups},
        in_count(product({in[0], in[1], in[2], in[3]})),
        out_count(product({out[0], out[1], out[2], out[3]})),
        weight_count(product({out[1], in[1], kernel[0], kernel[1]})) {
    if (groups == 0 || in[1] % groups != 0 || out[1] % groups != 0) {
      throw py::value_error("groups: need a divisor of both channel counts");
    }
    weight_count /= groups;
    if (in[0] != out[0]) throw py::value_error("input and output differ in their batch");
    product({stride[0], stride[1]});
    product({dilation[0], dilation[1]});
    if (padding[0] > kMaxExtent || padding[1] > kMaxExtent) throw py::value_error("padding");
    product({shape.padded_rows(), shape.padded_columns(), in[1] + 1});
  }

 private:
  static std::size_t product(std::initializer_list<std::size_t> extents) {
    std::size_t total = 1;
    for (const std::size_t extent : extents) {
      if (extent == 0 || extent > kMaxExtent || total > kMaxItems / extent) {
        throw py::value_error("need positive extents of a size that memory can hold");
      }
      total *= extent;
    }
    return total;
  }
};

void check_shifts(const ReadView<std::uint8_t>& shift_bits) {
  for (std::size_t i = 0; i < shift_bits.size(); ++i) {
    if (shift_bits.data()[i] > 31) throw py::value_error("shift_bits: need values below 32");
  }
}

void pack(const Convolution& convolution, const py::object& weights, const py::object& out) {
  const ReadView<std::int16_t> from(weights, "weights", convolution.weight_count);
  const WriteView<std::int16_t> to(out, "out", pi::linear::packed_weight_count(convolution.shape));
  const py::gil_scoped_release release;
  pi::linear::pack_weights(convolution.shape, from.data(), to.data());
}

void convolve_add(const Convolution& convolution, const py::object& packed, const py::object& share,
                  Integer<std::uint32_t> multiplier, const py::object& shift_bits,
                  const py::object& workspace, const py::object& out, Integer<int> threads,
                  const Text& kernel) {
  const pi::linear::ConvolutionShape& shape = convolution.shape;
  const ReadView<std::int16_t> weights(packed, "packed", pi::linear::packed_weight_count(shape));
  const ReadView<std::uint32_t> x(share, "share", convolution.in_count);
  const ReadView<std::uint8_t> shifts(shift_bits, "shift_bits", shape.out_channels);
  check_shifts(shifts);
  const WriteView<std::uint32_t> work(workspace, "workspace");
  if (work.size() < pi::linear::workspace_words(shape)) {
    throw py::value_error("workspace: need at least " +
                          std::to_string(pi::linear::workspace_words(shape)) + " items");
  }
  const WriteView<std::uint32_t> sums(out, "out", convolution.out_count);
  const pi::linear::Kernel chosen = pi::linear::resolve_kernel(kernel.value);
  const py::gil_scoped_release release;
  pi::linear::convolve_add(chosen, shape, weights.data(), x.data(), multiplier, shifts.data(),
                           work.data(), sums.data(), threads);
}

void scale_add(const py::object& x, Integer<std::size_t> samples, Integer<std::uint32_t> multiplier,
               const py::object& shift_bits, const py::object& out) {
  const ReadView<std::uint8_t> shifts(shift_bits, "shift_bits");
  check_shifts(shifts);
  const WriteView<std::uint32_t> sums(out, "out");
  const ReadView<std::uint32_t> from(x, "x", sums.size());
  if (samples == 0 || shifts.size() == 0 || sums.size() % samples != 0 ||
      sums.size() / samples % shifts.size() != 0) {
    throw py::value_error("x: need whole samples and whole channels");
  }
  const std::size_t sample = sums.size() / samples;
  const py::gil_scoped_release release;
  for (std::size_t n = 0; n < samples; ++n) {
    pi::linear::scale_add(from.data() + n * sample, shifts.size(), sample / shifts.size(),
                          multiplier, shifts.data(), sums.data() + n * sample);
  }
}

}  // namespace

void bind_linear(py::module_& module) {
  py::module_ submodule = module.def_submodule("linear");
  py::class_<Convolution>(submodule, "Convolution")
      .def(py::init<const Extents&, const Extents&, const Pair&, const Pair&, const Pair&,
                    const Pair&, std::size_t>(),
           py::kw_only(), py::arg("in_shape"), py::arg("out_shape"), py::arg("kernel"),
           py::arg("stride"), py::arg("padding"), py::arg("dilation"), py::arg("groups"))
      .def_property_readonly(
          "packed_weight_count",
          [](const Convolution& c) { return pi::linear::packed_weight_count(c.shape); })
      .def_property_readonly("workspace_words", [](const Convolution& c) {
        return pi::linear::workspace_words(c.shape);
      });
  submodule.def("pack", &pack, py::arg("convolution"), py::arg("weights"), py::arg("out"));
  submodule.def("convolve_add", &convolve_add, py::arg("convolution"), py::kw_only(),
                py::arg("packed"), py::arg("share"), py::arg("multiplier"), py::arg("shift_bits"),
                py::arg("workspace"), py::arg("out"), py::arg("threads"), py::arg("kernel"));
  submodule.def("scale_add", &scale_add, py::arg("x"), py::kw_only(), py::arg("samples"),
                py::arg("multiplier"), py::arg("shift_bits"), py::arg("out"));
}
