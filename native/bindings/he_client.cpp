// Binds the steps of the client, who has the secret key.
#include <pybind11/stl.h>

#include <bit>
#include <optional>

#include "bindings/buffers.h"
#include "bindings/he_arguments.h"
#include "bindings/modules.h"
#include "he/ciphertext.h"
#include "he/copies.h"
#include "he/join.h"
#include "he/wiped_buffer.h"

namespace py = pybind11;
namespace he = pi::he;
using pi::python::checked_threads;
using pi::python::Integer;
using pi::python::isa_of;
using pi::python::ReadView;
using pi::python::ReleasedView;
using pi::python::require;
using pi::python::Text;
using pi::python::WriteView;

namespace {

void sample_ternary(const py::object& seed, const py::object& out, const Text& isa) {
  const ReadView<std::uint8_t> seed_view(seed, "seed", he::kSeedBytes);
  const WriteView<std::int8_t> out_view(out, "out", he::kDegree);
  he::WipedBuffer<std::uint64_t> words(he::kDegree);
  he::sample_ternary(isa_of(isa), seed_view.data(), words.data(), out_view.data());
}

void encrypt(const py::object& secret, const py::object& messages, const py::object& public_seeds,
             const py::object& noise_seeds, const py::object& out, Integer<int> threads,
             Integer<std::size_t> copies, const Text& isa) {
  require(std::has_single_bit<std::size_t>(copies) && copies <= he::kCopyOrder,
          "copies: need a power of two, at most 32");
  const ReadView<std::int8_t> secret_view(secret, "secret", he::kDegree);
  const WriteView<std::uint8_t> out_view(out, "out");
  require(out_view.size() % he::kCiphertextBytes == 0, "out: need whole ciphertexts");
  const std::size_t count = out_view.size() / he::kCiphertextBytes;
  const ReadView<std::uint8_t> public_view(public_seeds, "public_seeds", count * he::kSeedBytes);
  const ReadView<std::uint8_t> noise_view(noise_seeds, "noise_seeds", count * he::kSeedBytes);
  std::optional<ReadView<std::uint32_t>> message_view;
  if (!messages.is_none()) message_view.emplace(messages, "messages", count * he::kDegree);
  const std::uint32_t* message_data = message_view ? message_view->data() : nullptr;
  const pi::Isa path = isa_of(isa);
  checked_threads(threads);
  const py::gil_scoped_release release;
  he::encrypt(path, secret_view.data(), message_data, count, copies, public_view.data(),
              noise_view.data(), out_view.data(), threads);
}

bool decrypt(const py::object& secret, const py::object& answer, const py::object& positions,
             const py::object& starts, const py::object& out, Integer<int> threads,
             const Text& isa) {
  const ReadView<std::int8_t> secret_view(secret, "secret", he::kDegree);
  const ReleasedView released(positions, starts);
  const ReadView<std::uint8_t> answer_view(answer, "answer",
                                           released.get().offset(released.get().count));
  const WriteView<std::uint32_t> out_view(out, "out", released.size());
  const pi::Isa path = isa_of(isa);
  checked_threads(threads);
  const py::gil_scoped_release release;
  return he::decrypt(path, secret_view.data(), answer_view.data(), released.get(), out_view.data(),
                     threads);
}

void make_copy_keys(const py::object& secret, const py::object& public_seeds,
                    const py::object& noise_seeds, const py::object& out, const Text& isa) {
  constexpr std::size_t kSeeds = he::kCopyKeys * he::kPrimeCount * he::kSeedBytes;
  const ReadView<std::int8_t> secret_view(secret, "secret", he::kDegree);
  const ReadView<std::uint8_t> public_view(public_seeds, "public_seeds", kSeeds);
  const ReadView<std::uint8_t> noise_view(noise_seeds, "noise_seeds", kSeeds);
  const WriteView<std::uint8_t> out_view(out, "out", he::kCopyKeys * he::kCopyKeyBytes);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  he::make_copy_keys(path, secret_view.data(), public_view.data(), noise_view.data(),
                     out_view.data());
}

void make_join_keys(const py::object& secret, const py::object& public_seeds,
                    const py::object& noise_seeds, const py::object& out, const Text& isa) {
  const ReadView<std::int8_t> secret_view(secret, "secret", he::kDegree);
  const WriteView<std::uint8_t> out_view(out, "out");
  const std::size_t count = out_view.size() / he::kJoinKeyBytes;
  require(out_view.size() % he::kJoinKeyBytes == 0 && count <= he::kMaxJoinLevels,
          "out: need whole keys, at most one for each level");
  const ReadView<std::uint8_t> public_view(public_seeds, "public_seeds", count * he::kSeedBytes);
  const ReadView<std::uint8_t> noise_view(noise_seeds, "noise_seeds", count * he::kSeedBytes);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  he::make_join_keys(path, secret_view.data(), count, public_view.data(), noise_view.data(),
                     out_view.data());
}

}  // namespace

void bind_he_client(py::module_& submodule) {
  submodule.def("sample_ternary", &sample_ternary, py::arg("seed"), py::arg("out"),
                py::arg("isa") = "");
  submodule.def("encrypt", &encrypt, py::arg("secret"), py::arg("messages"),
                py::arg("public_seeds"), py::arg("noise_seeds"), py::arg("out"), py::arg("threads"),
                py::arg("copies") = 1, py::arg("isa") = "");
  submodule.def("decrypt", &decrypt, py::arg("secret"), py::arg("answer"), py::arg("positions"),
                py::arg("starts"), py::arg("out"), py::arg("threads"), py::arg("isa") = "");
  submodule.def("make_join_keys", &make_join_keys, py::arg("secret"), py::arg("public_seeds"),
                py::arg("noise_seeds"), py::arg("out"), py::arg("isa") = "");
  submodule.def("make_copy_keys", &make_copy_keys, py::arg("secret"), py::arg("public_seeds"),
                py::arg("noise_seeds"), py::arg("out"), py::arg("isa") = "");
}
