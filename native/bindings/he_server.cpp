// Binds the steps of the server, who has the weights.
#include <pybind11/stl.h>

#include <algorithm>
#include <bit>

#include "bindings/buffers.h"
#include "bindings/he_arguments.h"
#include "bindings/modules.h"
#include "he/ciphertext.h"
#include "he/copies.h"
#include "he/join.h"
#include "he/response.h"

namespace py = pybind11;
namespace he = pi::he;
using pi::python::checked_threads;
using pi::python::Integer;
using pi::python::isa_of;
using pi::python::LayoutView;
using pi::python::ReadView;
using pi::python::ReleasedView;
using pi::python::RequestView;
using pi::python::require;
using pi::python::Text;
using pi::python::valid_copies;
using pi::python::WriteView;

namespace {

bool load(const py::object& ciphertexts, Integer<std::size_t> group, const py::object& out,
          Integer<int> threads, Integer<std::size_t> copies, const Text& isa) {
  require(copies >= 1 && copies <= he::kCopyOrder, "copies: need 1 to 32");
  const ReadView<std::uint8_t> in_view(ciphertexts, "ciphertexts");
  require(in_view.size() % he::kCiphertextBytes == 0, "ciphertexts: need whole ciphertexts");
  const std::size_t count = in_view.size() / he::kCiphertextBytes;
  require(group >= 1 && count % group == 0, "group: need whole groups of ciphertexts");
  const WriteView<std::uint64_t> out_view(out, "out", count * copies * he::kLoadedWords);
  const pi::Isa path = isa_of(isa);
  checked_threads(threads);
  const py::gil_scoped_release release;
  return he::load(path, in_view.data(), count, group, copies, out_view.data(), threads);
}

bool load_copy_keys(const py::object& keys, const py::object& out, const Text& isa) {
  const ReadView<std::uint8_t> key_view(keys, "keys", he::kCopyKeys * he::kCopyKeyBytes);
  const WriteView<std::uint64_t> out_view(out, "out", he::kCopyKeys * he::kLoadedCopyKeyWords);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  return he::load_copy_keys(path, key_view.data(), out_view.data());
}

void add_copies(const py::object& ciphertexts, Integer<std::size_t> group, const py::tuple& copies,
                const py::object& keys, const py::object& loaded, Integer<int> threads,
                const Text& isa) {
  require(copies.size() == 2, "copies: need (copies, spread)");
  const auto number = copies[0].cast<std::size_t>(), spread = copies[1].cast<std::size_t>();
  require(valid_copies(number, spread) && number * spread <= he::kCopyOrder,
          "copies: need 1 to 8 copies that have keys, and a power of two for their spread");
  const ReadView<std::uint8_t> in_view(ciphertexts, "ciphertexts");
  require(in_view.size() % he::kCiphertextBytes == 0, "ciphertexts: need whole ciphertexts");
  const std::size_t count = in_view.size() / he::kCiphertextBytes;
  require(group >= 1 && count % group == 0, "group: need whole groups of ciphertexts");
  const ReadView<std::uint64_t> key_view(keys, "keys", he::kCopyKeys * he::kLoadedCopyKeyWords);
  const WriteView<std::uint64_t> loaded_view(loaded, "loaded", count * number * he::kLoadedWords);
  const pi::Isa path = isa_of(isa);
  checked_threads(threads);
  const py::gil_scoped_release release;
  he::add_copies(path, in_view.data(), count, group, number, spread, key_view.data(),
                 loaded_view.data(), threads);
}

void transform_weights(const py::object& weights, const py::object& exponents,
                       const py::tuple& shape, const py::tuple& block, const py::object& out,
                       Integer<int> threads, const py::tuple& copies, const Text& isa) {
  const LayoutView layout(weights, exponents, shape, block, copies);
  const WriteView<std::uint64_t> out_view(out, "out", layout.prepared_words());
  const pi::Isa path = isa_of(isa);
  checked_threads(threads);
  const py::gil_scoped_release release;
  he::transform_weights(path, layout.get(), out_view.data(), threads);
}

void respond(const py::object& weights, const py::object& exponents, const py::tuple& shape,
             const py::tuple& block, const py::object& prepared, const py::object& inputs,
             const py::object& public_key, const py::object& seeds, const py::object& masks,
             const py::object& positions, const py::object& starts, const py::object& out,
             Integer<int> threads, const py::tuple& copies, const Text& isa) {
  const RequestView view(weights, exponents, shape, block, prepared, inputs, public_key, seeds,
                         masks, positions, starts, copies);
  const he::Request request = view.get();
  const WriteView<std::uint8_t> out_view(out, "out",
                                         request.released.offset(request.released.count));
  const pi::Isa path = isa_of(isa);
  checked_threads(threads);
  const py::gil_scoped_release release;
  he::respond(path, request, out_view.data(), threads);
}

void respond_unpacked(const py::object& weights, const py::object& exponents,
                      const py::tuple& shape, const py::tuple& block, const py::object& prepared,
                      const py::object& inputs, const py::object& public_key,
                      const py::object& seeds, const py::object& masks, const py::object& positions,
                      const py::object& starts, const py::object& c1, const py::object& c0,
                      Integer<int> threads, const py::tuple& copies, const Text& isa) {
  const RequestView view(weights, exponents, shape, block, prepared, inputs, public_key, seeds,
                         masks, positions, starts, copies);
  const he::Request request = view.get();
  const WriteView<std::uint64_t> c1_view(c1, "c1", request.released.count * he::kDegree);
  const WriteView<std::uint64_t> c0_view(
      c0, "c0", static_cast<std::size_t>(request.released.starts[request.released.count]));
  const pi::Isa path = isa_of(isa);
  checked_threads(threads);
  const py::gil_scoped_release release;
  he::respond_unpacked(path, request, c1_view.data(), c0_view.data(), threads);
}

bool load_join_keys(const py::object& keys, const py::object& out, const Text& isa) {
  const ReadView<std::uint8_t> key_view(keys, "keys", he::kMaxJoinLevels * he::kJoinKeyBytes);
  const WriteView<std::uint64_t> out_view(out, "out", he::kMaxJoinLevels * he::kLoadedJoinKeyWords);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  return he::load_join_keys(path, key_view.data(), he::kMaxJoinLevels, out_view.data());
}

void join(const py::object& c1, const py::object& c0, const py::object& keys,
          Integer<std::size_t> per_answer, const py::object& positions, const py::object& starts,
          const py::object& out, Integer<int> threads, const Text& isa) {
  const ReleasedView released(positions, starts);
  const he::Released all = released.get();
  const std::size_t each = per_answer;
  require(std::has_single_bit(each) && each <= std::size_t{1} << he::kMaxJoinLevels,
          "per_answer: need a power of two, at most 64");
  for (std::size_t i = 0; i < released.size(); ++i) {
    require(all.positions[i] % each == 0, "positions: need multiples of per_answer");
  }
  for (std::size_t first = 0; first < all.count; first += each) {
    const std::size_t end = std::min(first + each, all.count);
    require(all.starts[end] - all.starts[first] <= he::kDegree,
            "starts: need at most N coefficients in an answer");
  }
  const std::size_t answers = (all.count + each - 1) / each;
  const WriteView<std::uint64_t> c1_view(c1, "c1", all.count * he::kDegree);
  const WriteView<std::uint64_t> c0_view(c0, "c0", released.size());
  const ReadView<std::uint64_t> key_view(keys, "keys",
                                         he::kMaxJoinLevels * he::kLoadedJoinKeyWords);
  const WriteView<std::uint8_t> out_view(out, "out", he::answer_offset(all, each, answers));
  const he::Products products{c1_view.data(), c0_view.data(), key_view.data(), each, all};
  const pi::Isa path = isa_of(isa);
  checked_threads(threads);
  const py::gil_scoped_release release;
  he::join(path, products, out_view.data(), threads);
}

}  // namespace

void bind_he_server(py::module_& submodule) {
  const py::tuple no_copies = py::make_tuple(1, 1);
  submodule.def("load", &load, py::arg("ciphertexts"), py::arg("group"), py::arg("out"),
                py::arg("threads"), py::arg("copies") = 1, py::arg("isa") = "");
  submodule.def("transform_weights", &transform_weights, py::arg("weights"), py::arg("exponents"),
                py::arg("shape"), py::arg("block"), py::arg("out"), py::arg("threads"),
                py::arg("copies") = no_copies, py::arg("isa") = "");
  submodule.def("respond", &respond, py::arg("weights"), py::arg("exponents"), py::arg("shape"),
                py::arg("block"), py::arg("prepared"), py::arg("inputs"), py::arg("public_key"),
                py::arg("seeds"), py::arg("masks"), py::arg("positions"), py::arg("starts"),
                py::arg("out"), py::arg("threads"), py::arg("copies") = no_copies,
                py::arg("isa") = "");
  submodule.def("respond_unpacked", &respond_unpacked, py::arg("weights"), py::arg("exponents"),
                py::arg("shape"), py::arg("block"), py::arg("prepared"), py::arg("inputs"),
                py::arg("public_key"), py::arg("seeds"), py::arg("masks"), py::arg("positions"),
                py::arg("starts"), py::arg("c1"), py::arg("c0"), py::arg("threads"),
                py::arg("copies") = no_copies, py::arg("isa") = "");
  submodule.def("load_join_keys", &load_join_keys, py::arg("keys"), py::arg("out"),
                py::arg("isa") = "");
  submodule.def("load_copy_keys", &load_copy_keys, py::arg("keys"), py::arg("out"),
                py::arg("isa") = "");
  submodule.def("add_copies", &add_copies, py::arg("ciphertexts"), py::arg("group"),
                py::arg("copies"), py::arg("keys"), py::arg("loaded"), py::arg("threads"),
                py::arg("isa") = "");
  submodule.def("join", &join, py::arg("c1"), py::arg("c0"), py::arg("keys"), py::arg("per_answer"),
                py::arg("positions"), py::arg("starts"), py::arg("out"), py::arg("threads"),
                py::arg("isa") = "");
}
