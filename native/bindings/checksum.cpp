#include "checksum/checksum.h"

#include "bindings/buffers.h"
#include "bindings/modules.h"

namespace py = pybind11;

namespace {

// A frame costs a few of these calls: the plain buffer interface spares the descriptions of shape
// and type that a py::buffer_info allocates.
class Bytes {
 public:
  explicit Bytes(const py::handle& object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw py::error_already_set();
  }
  ~Bytes() { PyBuffer_Release(&view_); }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  void add_to(pi::Checksum& sum) const {
    sum.update(static_cast<const std::uint8_t*>(view_.buf), static_cast<std::size_t>(view_.len));
  }

 private:
  Py_buffer view_;
};

pi::Checksum make(const py::object& seed, const std::string& isa) {
  const pi::python::ReadView<std::uint8_t> view(seed, "seed", pi::Checksum::kSeedBytes);
  return {pi::python::isa_of(isa), view.data()};
}

// The interpreter's lock is kept: whole frames take microseconds, and getting it back may take
// longer.
void update(pi::Checksum& sum, const py::args& parts) {
  for (const py::handle part : parts) Bytes(part).add_to(sum);
}

void items(pi::Checksum& sum, const py::object& header, const py::args& parts) {
  Bytes(header).add_to(sum);
  sum.end_item();
  update(sum, parts);
  sum.end_item();
}

py::bytes digest(const pi::Checksum& sum) {
  std::uint8_t out[pi::Checksum::kWordBytes];
  sum.digest(out);
  return {reinterpret_cast<const char*>(out), sizeof out};
}

}  // namespace

void bind_checksum(py::module_& module) {
  py::module_ submodule = module.def_submodule("checksum");
  py::class_<pi::Checksum>(submodule, "Checksum")
      .def(py::init(&make), py::arg("seed"), py::arg("isa") = "")
      .def("update", &update)
      .def("end_item", &pi::Checksum::end_item)
      .def("items", &items)
      .def("digest", &digest);
}
