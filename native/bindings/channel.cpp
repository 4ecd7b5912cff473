#include <cerrno>
#include <optional>
#include <system_error>
#include <vector>

#include "bindings/buffers.h"
#include "bindings/modules.h"
#include "bindings/ranges.h"
#include "channel/frames.h"

namespace py = pybind11;
using pi::python::Integer;
using pi::python::Ranges;
using pi::python::ReadView;
using pi::python::WriteView;

namespace {

constexpr std::size_t kStepBytes = 32 << 10;  // some 3 us from memory

struct BoundPrefetch {
  explicit BoundPrefetch(const py::iterable& arrays) : owner(arrays), prefetch(owner.ranges()) {}

  void next() {
    if (!prefetch.step(kStepBytes)) throw py::stop_iteration();
  }

  Ranges owner;
  pi::Prefetch prefetch;
};

// Sends a frame whose first piece is its header. `sum` gets the whole frame, whatever has left.
py::object send_at_once(Integer<int> socket, pi::Checksum* sum, const py::args& pieces) {
  std::vector<ReadView<std::uint8_t>> views;
  std::vector<iovec> places;
  views.reserve(pieces.size());
  places.reserve(pieces.size());
  for (const py::handle piece : pieces) {
    views.emplace_back(py::reinterpret_borrow<py::object>(piece), "piece");
    const ReadView<std::uint8_t>& view = views.back();
    places.push_back({const_cast<std::uint8_t*>(view.data()), view.size()});
  }
  int error = 0;
  pi::channel::SentUpTo sent{0, 0};
  {
    const py::gil_scoped_release release;
    try {
      sent = pi::channel::send_at_once(socket, places.data(), places.size());
      if (sum != nullptr) pi::channel::add_frame(places.data(), places.size(), *sum);
    } catch (const pi::channel::SendError& failure) {
      error = failure.code().value();
    }
  }
  if (error != 0) {
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    throw py::error_already_set();
  }
  if (sent.piece == places.size()) return py::none();
  return py::make_tuple(sent.piece, sent.offset);
}

py::tuple poll_frame(Integer<int> socket, const py::object& expected, const py::object& header,
                     const py::object& payload, double poll_s, BoundPrefetch* ahead,
                     pi::Checksum* sum) {
  const ReadView<std::uint8_t> due(expected, "expected");
  const WriteView<std::uint8_t> head(header, "header", due.size());
  const WriteView<std::uint8_t> body(payload, "payload");
  const pi::channel::ExpectedFrame frame{due.data(), head.data(), head.size(), body.data(),
                                         body.size()};
  pi::channel::Arrival arrival;
  {
    const py::gil_scoped_release release;
    arrival = pi::channel::poll_frame(socket, frame, poll_s,
                                      ahead == nullptr ? nullptr : &ahead->prefetch, sum);
  }
  return py::make_tuple(arrival.byte_count, arrival.matches);
}

}  // namespace

void bind_channel(py::module_& module) {
  py::module_ submodule = module.def_submodule("channel");
  py::class_<BoundPrefetch>(submodule, "Prefetch")
      .def(py::init<const py::iterable&>(), py::arg("arrays"))
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__", &BoundPrefetch::next)
      .def(
          "drop",
          [](BoundPrefetch& self, Integer<std::size_t> count) { self.prefetch.drop(count); },
          py::arg("count"));
  submodule.def("send_at_once", &send_at_once, py::arg("socket"), py::arg("sum"));
  submodule.def("poll_frame", &poll_frame, py::arg("socket"), py::arg("expected"),
                py::arg("header"), py::arg("payload"), py::arg("poll_s"), py::arg("ahead"),
                py::arg("sum"));
}
