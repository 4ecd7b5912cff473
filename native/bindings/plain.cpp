#include "plain/plain.h"

#include <optional>

#include "bindings/buffers.h"
#include "bindings/modules.h"
#include "bindings/task.h"

namespace py = pybind11;
using pi::python::Integer;
using pi::python::ReadView;
using pi::python::Task;
using pi::python::WriteView;

namespace {

class Activate {
 public:
  Activate(const py::object& x, const py::object& index, int offset, int above, int shift,
           bool is_relu, const py::object& out)
      : window_{offset, above, shift, is_relu}, x_(x, "x"), out_(out, "out", x_.size()) {
    if (above < 0 || shift < 0 || above + shift > 31) {
      throw py::value_error("above, shift: need a sum from 0 to 31");
    }
    if (index.is_none()) return;
    index_.emplace(index, "index");
    for (std::size_t i = 0; i < index_->size(); ++i) {
      if (index_->data()[i] < 0 || static_cast<std::size_t>(index_->data()[i]) >= x_.size()) {
        throw py::value_error("index: need places in x");
      }
    }
  }

  void operator()() const {
    pi::plain::activate(window_, x_.data(), index_ ? index_->data() : nullptr,
                        index_ ? index_->size() : x_.size(), out_.data());
  }

 private:
  pi::plain::Window window_;
  ReadView<std::uint32_t> x_;
  WriteView<std::uint32_t> out_;
  std::optional<ReadView<std::int64_t>> index_;
};

class FillChannels {
 public:
  FillChannels(const py::object& values, std::size_t samples, const py::object& out)
      : values_(values, "values"), out_(out, "out"), samples_(samples) {
    if (samples == 0 || values_.size() == 0 || out_.size() % (samples * values_.size()) != 0) {
      throw py::value_error("out: need whole samples and whole channels");
    }
  }

  void operator()() const {
    const std::size_t sample = out_.size() / samples_;
    for (std::size_t n = 0; n < samples_; ++n) {
      pi::plain::fill_channels(values_.data(), values_.size(), sample / values_.size(),
                               out_.data() + n * sample);
    }
  }

 private:
  ReadView<std::uint32_t> values_;
  WriteView<std::uint32_t> out_;
  std::size_t samples_;
};

Task activate(const py::object& x, const py::object& index, Integer<int> offset, Integer<int> above,
              Integer<int> shift, bool is_relu, const py::object& out) {
  return pi::python::make_task<Activate>(x, index, offset.value, above.value, shift.value, is_relu,
                                         out);
}

Task fill_channels(const py::object& values, Integer<std::size_t> samples, const py::object& out) {
  return pi::python::make_task<FillChannels>(values, samples.value, out);
}

}  // namespace

void bind_plain(py::module_& module) {
  py::module_ submodule = module.def_submodule("plain");
  submodule.def("activate", &activate, py::arg("x"), py::kw_only(), py::arg("index"),
                py::arg("offset"), py::arg("above"), py::arg("shift"), py::arg("is_relu"),
                py::arg("out"));
  submodule.def("fill_channels", &fill_channels, py::arg("values"), py::kw_only(),
                py::arg("samples"), py::arg("out"));
}
