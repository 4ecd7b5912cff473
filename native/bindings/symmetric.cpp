#include "symmetric/symmetric.h"

#include "bindings/buffers.h"
#include "bindings/modules.h"

namespace py = pybind11;
using pi::python::Integer;
using pi::python::isa_of;
using pi::python::ReadView;
using pi::python::Text;
using pi::python::WriteView;

namespace {

std::size_t whole_units(std::size_t size, std::size_t unit, const char* name) {
  if (size % unit != 0) {
    throw py::value_error(std::string(name) + ": need a multiple of " + std::to_string(unit) +
                          " bytes, got " + std::to_string(size));
  }
  return size / unit;
}

void aes128_encrypt(const py::object& key, const py::object& blocks, const py::object& out,
                    const Text& isa) {
  const ReadView<std::uint8_t> key_view(key, "key", pi::kBlockBytes);
  const ReadView<std::uint8_t> in_view(blocks, "blocks");
  const WriteView<std::uint8_t> out_view(out, "out", in_view.size());
  const std::size_t count = whole_units(in_view.size(), pi::kBlockBytes, "blocks");
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::aes128_encrypt(path, key_view.data(), in_view.data(), count, out_view.data());
}

void prg(const py::object& seed, Integer<std::uint64_t> first_block, const py::object& out,
         const Text& isa) {
  const ReadView<std::uint8_t> seed_view(seed, "seed", pi::kBlockBytes);
  const WriteView<std::uint8_t> out_view(out, "out");
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::prg(path, seed_view.data(), first_block, out_view.data(), out_view.size());
}

void hash_labels(const py::object& seed, Integer<int> purpose, Integer<std::uint32_t> gadget,
                 Integer<std::uint32_t> first_group, Integer<std::uint32_t> position,
                 const py::object& labels, const py::object& out, const Text& isa) {
  if (purpose < 0 || purpose > 0xff || gadget >= 1u << 24 || position >= 1u << 24) {
    throw py::value_error("a purpose has 8 bits, a gadget's number and a position have 24");
  }
  const ReadView<std::uint8_t> seed_view(seed, "seed", pi::kBlockBytes);
  const ReadView<std::uint8_t> label_view(labels, "labels");
  const WriteView<std::uint8_t> out_view(out, "out", label_view.size());
  const std::size_t groups = whole_units(label_view.size(), pi::kLanes * pi::kBlockBytes, "labels");
  if (groups > (std::size_t{1} << 32) - first_group) {
    throw py::value_error("a group's number has 32 bits");
  }
  const pi::Tweak tweak{static_cast<pi::Purpose>(purpose.value), gadget, first_group, position, 0};
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::hash_labels(path, seed_view.data(), tweak, groups, label_view.data(), nullptr,
                  out_view.data());
}

}  // namespace

void bind_symmetric(py::module_& module) {
  py::module_ submodule = module.def_submodule("symmetric");
  py::register_exception<pi::UnsupportedCpu>(submodule, "UnsupportedCpuError", PyExc_RuntimeError);
  submodule.def("selected_isa", [] { return pi::isa_name(pi::selected_isa()); });
  submodule.def(
      "resolve_isa", [](const std::string& name) { return pi::isa_name(pi::resolve_isa(name)); },
      py::arg("name"));
  submodule.def("aes128_encrypt", &aes128_encrypt, py::arg("key"), py::arg("blocks"),
                py::arg("out"), py::arg("isa") = "");
  submodule.def("prg", &prg, py::arg("seed"), py::arg("first_block"), py::arg("out"),
                py::arg("isa") = "");
  submodule.def("hash_labels", &hash_labels, py::arg("seed"), py::arg("purpose"), py::arg("gadget"),
                py::arg("first_group"), py::arg("position"), py::arg("labels"), py::arg("out"),
                py::arg("isa") = "");
}
