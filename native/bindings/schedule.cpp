#include "schedule/schedule.h"

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "bindings/buffers.h"
#include "bindings/modules.h"
#include "bindings/ranges.h"
#include "bindings/task.h"

namespace py = pybind11;
using pi::python::Integer;
using pi::python::Ranges;
using pi::python::ReadView;
using pi::python::Task;
using pi::python::WriteView;

namespace {

class BoundSchedule {
 public:
  explicit BoundSchedule(const py::iterable& reads) : reads_(reads), schedule_(reads_.ranges()) {}

  void send(const py::args& pieces) {
    pi::schedule::Send item{{{nullptr, 0}}};
    for (const py::handle piece : pieces) {
      sent_.emplace_back(py::reinterpret_borrow<py::object>(piece), "piece");
      const ReadView<std::uint8_t>& view = sent_.back();
      item.pieces.push_back({const_cast<std::uint8_t*>(view.data()), view.size()});
    }
    schedule_.add(std::move(item));
  }

  void receive(const py::object& payload) {
    received_.emplace_back(payload, "payload");
    schedule_.add(pi::schedule::Receive{received_.back().data(), received_.back().size()});
  }

  void call(const py::function& run, Integer<std::size_t> ranges_done) {
    const auto call = [run] {
      const py::gil_scoped_acquire acquire;
      run();
    };
    schedule_.add(pi::schedule::Work{call, ranges_done});
  }
  void work(const Task& task, Integer<std::size_t> ranges_done) {
    schedule_.add(pi::schedule::Work{task.run, ranges_done});
  }

  py::tuple run(Integer<std::size_t> first, Integer<int> socket, double poll_s,
                const py::object& shared, const py::object& own, const py::object& header,
                pi::Checksum* sent, pi::Checksum* received, const py::object& ends_ns) {
    const std::size_t count = schedule_.size();
    const WriteView<std::int64_t> ends(ends_ns, "ends_ns", count);
    const ReadView<std::uint8_t> first_part(shared, "shared");
    const ReadView<std::uint8_t> parts(own, "own");
    if (first > count || count == 0 || parts.size() % count != 0) {
      throw py::value_error("own: need a part for each of " + std::to_string(count) + " items");
    }
    const std::size_t own_bytes = parts.size() / count;
    const WriteView<std::uint8_t> head(header, "header", first_part.size() + own_bytes);
    const pi::schedule::Line line{socket,       poll_s,    first_part.data(), first_part.size(),
                                  parts.data(), own_bytes, head.data(),       sent,
                                  received};
    pi::schedule::Stop stop{};
    int error = 0;
    {
      const py::gil_scoped_release release;
      try {
        stop = schedule_.run(first, line, ends.data());
      } catch (const pi::channel::SendError& failure) {
        error = failure.code().value();
      }
    }
    if (error != 0) {
      errno = error;
      PyErr_SetFromErrno(PyExc_OSError);
      throw py::error_already_set();
    }
    return py::make_tuple(stop.item, stop.begun, py::make_tuple(stop.sent.piece, stop.sent.offset),
                          py::make_tuple(stop.arrived.byte_count, stop.arrived.matches));
  }

 private:
  Ranges reads_;
  std::vector<ReadView<std::uint8_t>> sent_;
  std::vector<WriteView<std::uint8_t>> received_;
  pi::schedule::Schedule schedule_;
};

void run_task(const Task& task) {
  const py::gil_scoped_release release;
  task.run();
}

}  // namespace

void bind_schedule(py::module_& module) {
  py::module_ submodule = module.def_submodule("schedule");
  py::class_<Task>(submodule, "Task").def("__call__", &run_task);
  py::class_<BoundSchedule>(submodule, "Schedule")
      .def(py::init<const py::iterable&>(), py::arg("reads"))
      .def("send", &BoundSchedule::send)
      .def("receive", &BoundSchedule::receive, py::arg("payload"))
      .def("work", &BoundSchedule::work, py::arg("task"), py::arg("ranges_done"))
      .def("call", &BoundSchedule::call, py::arg("run"), py::arg("ranges_done"))
      .def("run", &BoundSchedule::run, py::arg("first"), py::arg("socket"), py::arg("poll_s"),
           py::arg("shared"), py::arg("own"), py::arg("header"), py::arg("sent"),
           py::arg("received"), py::arg("ends_ns"));
}
