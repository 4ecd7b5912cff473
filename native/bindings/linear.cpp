#include <pybind11/stl.h>

#include <array>

#include "bindings/buffers.h"
#include "bindings/modules.h"
#include "bindings/task.h"
#include "linear/convolution.h"

namespace py = pybind11;
using pi::python::Integer;
using pi::python::make_task;
using pi::python::ReadView;
using pi::python::Task;
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

// The time of a call must not depend on what the buffers hold, so shifts are checked when it is
// made.
class ConvolveAdd {
 public:
  ConvolveAdd(const Convolution& convolution, const py::object& packed, const py::object& share,
              std::uint32_t multiplier, const py::object& shift_bits, const py::object& workspace,
              const py::object& out, int threads, const std::string& kernel)
      : shape_(convolution.shape),
        packed_(packed, "packed", pi::linear::packed_weight_count(shape_)),
        share_(share, "share", convolution.in_count),
        multiplier_(multiplier),
        shift_bits_(shift_bits, "shift_bits", shape_.out_channels),
        workspace_(workspace, "workspace"),
        out_(out, "out", convolution.out_count),
        threads_(threads),
        kernel_(pi::linear::resolve_kernel(kernel)) {
    check_shifts(shift_bits_);
    if (workspace_.size() < pi::linear::workspace_words(shape_)) {
      throw py::value_error("workspace: need at least " +
                            std::to_string(pi::linear::workspace_words(shape_)) + " items");
    }
  }

  void operator()() const {
    pi::linear::convolve_add(kernel_, shape_, packed_.data(), share_.data(), multiplier_,
                             shift_bits_.data(), workspace_.data(), out_.data(), threads_);
  }

 private:
  pi::linear::ConvolutionShape shape_;
  ReadView<std::int16_t> packed_;
  ReadView<std::uint32_t> share_;
  std::uint32_t multiplier_;
  ReadView<std::uint8_t> shift_bits_;
  WriteView<std::uint32_t> workspace_, out_;
  int threads_;
  pi::linear::Kernel kernel_;
};

void convolve_add(const Convolution& convolution, const py::object& packed, const py::object& share,
                  Integer<std::uint32_t> multiplier, const py::object& shift_bits,
                  const py::object& workspace, const py::object& out, Integer<int> threads,
                  const Text& kernel) {
  const ConvolveAdd call(convolution, packed, share, multiplier, shift_bits, workspace, out,
                         threads, kernel.value);
  const py::gil_scoped_release release;
  call();
}

Task convolve_add_task(const Convolution& convolution, const py::object& packed,
                       const py::object& share, Integer<std::uint32_t> multiplier,
                       const py::object& shift_bits, const py::object& workspace,
                       const py::object& out, Integer<int> threads, const Text& kernel) {
  return make_task<ConvolveAdd>(convolution, packed, share, multiplier.value, shift_bits, workspace,
                                out, threads.value, kernel.value);
}

class ScaleAdd {
 public:
  ScaleAdd(const py::object& x, std::size_t samples, std::uint32_t multiplier,
           const py::object& shift_bits, const py::object& out)
      : shift_bits_(shift_bits, "shift_bits"),
        out_(out, "out"),
        x_(x, "x", out_.size()),
        samples_(samples),
        multiplier_(multiplier) {
    check_shifts(shift_bits_);
    if (samples == 0 || shift_bits_.size() == 0 || out_.size() % samples != 0 ||
        out_.size() / samples % shift_bits_.size() != 0) {
      throw py::value_error("x: need whole samples and whole channels");
    }
  }

  void operator()() const {
    const std::size_t sample = out_.size() / samples_;
    for (std::size_t n = 0; n < samples_; ++n) {
      pi::linear::scale_add(x_.data() + n * sample, shift_bits_.size(), sample / shift_bits_.size(),
                            multiplier_, shift_bits_.data(), out_.data() + n * sample);
    }
  }

 private:
  ReadView<std::uint8_t> shift_bits_;
  WriteView<std::uint32_t> out_;
  ReadView<std::uint32_t> x_;
  std::size_t samples_;
  std::uint32_t multiplier_;
};

void scale_add(const py::object& x, Integer<std::size_t> samples, Integer<std::uint32_t> multiplier,
               const py::object& shift_bits, const py::object& out) {
  const ScaleAdd call(x, samples, multiplier, shift_bits, out);
  const py::gil_scoped_release release;
  call();
}

Task scale_add_task(const py::object& x, Integer<std::size_t> samples,
                    Integer<std::uint32_t> multiplier, const py::object& shift_bits,
                    const py::object& out) {
  return make_task<ScaleAdd>(x, samples.value, multiplier.value, shift_bits, out);
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
  submodule.def("convolve_add_task", &convolve_add_task, py::arg("convolution"), py::kw_only(),
                py::arg("packed"), py::arg("share"), py::arg("multiplier"), py::arg("shift_bits"),
                py::arg("workspace"), py::arg("out"), py::arg("threads"), py::arg("kernel"));
  submodule.def("scale_add", &scale_add, py::arg("x"), py::kw_only(), py::arg("samples"),
                py::arg("multiplier"), py::arg("shift_bits"), py::arg("out"));
  submodule.def("scale_add_task", &scale_add_task, py::arg("x"), py::kw_only(), py::arg("samples"),
                py::arg("multiplier"), py::arg("shift_bits"), py::arg("out"));
}
