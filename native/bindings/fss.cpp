#include "bindings/buffers.h"
#include "bindings/modules.h"
#include "fss/layout.h"
#include "symmetric/tweak.h"

namespace py = pybind11;
using pi::fss::Kind;
using pi::fss::Layout;
using pi::fss::Spec;
using pi::python::Integer;

namespace {

// Holds a gadget with its sizes. The constructor refuses numbers that make no gadget.
struct Gadget {
  Spec spec;
  Layout layout;

  Gadget(const std::string& kind, int truncate_bits, int window_bits, bool exact,
         std::uint32_t offset, int sign_drop)
      : spec{kind_of(kind), truncate_bits, window_bits, exact, offset, sign_drop},
        layout(layout_of(spec)) {}

  std::size_t bundle_group_bytes(Integer<int> level) const {
    if (level < 1 || level > layout.bundle_count) {
      throw py::value_error("level: need 1 to " + std::to_string(layout.bundle_count) + ", got " +
                            std::to_string(level));
    }
    return layout.bundle_group_bytes[level.value];
  }

 private:
  static Kind kind_of(const std::string& kind) {
    if (kind == "relu") return Kind::kRelu;
    if (kind == "truncate") return Kind::kTruncate;
    throw py::value_error("gadget kind: need \"relu\" or \"truncate\", got \"" + kind + "\"");
  }
};

// Makes a getter of one size.
template <class T>
auto size_of(T Layout::* member) {
  return [member](const Gadget& gadget) { return gadget.layout.*member; };
}

}  // namespace

void bind_fss(py::module_& module) {
  py::module_ submodule = module.def_submodule("fss");
  py::class_<Gadget>(submodule, "Gadget")
      .def(py::init<const std::string&, int, int, bool, std::uint32_t, int>(), py::kw_only(),
           py::arg("kind"), py::arg("truncate_bits"), py::arg("window_bits"), py::arg("exact"),
           py::arg("offset"), py::arg("sign_drop"))
      .def("bundle_group_bytes", &Gadget::bundle_group_bytes, py::arg("level"))
      .def_property_readonly("choice_ots", size_of(&Layout::choice_ots))
      .def_property_readonly("request_ots", size_of(&Layout::request_ots))
      .def_property_readonly("server_bits", size_of(&Layout::server_bits))
      .def_property_readonly("client_bits", size_of(&Layout::client_bits))
      .def_property_readonly("correction_group_bytes", size_of(&Layout::correction_group_bytes))
      .def_property_readonly("opening_group_bytes", size_of(&Layout::opening_group_bytes))
      .def_property_readonly("bundle_count", size_of(&Layout::bundle_count))
      .def_property_readonly("online_group_bytes", size_of(&Layout::online_group_bytes))
      .def_property_readonly("answer_words", size_of(&Layout::answer_words))
      .def_property_readonly("server_state_group_bytes", size_of(&Layout::server_state_group_bytes))
      .def_property_readonly("client_state_group_bytes", size_of(&Layout::client_state_group_bytes))
      .def_property_readonly("growth_group_bytes", size_of(&Layout::growth_group_bytes))
      .def_property_readonly("share_versions", size_of(&Layout::share_versions))
      .def_property_readonly("kept_group_bytes", size_of(&Layout::kept_group_bytes));
}
