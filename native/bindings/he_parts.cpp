// The parts of the scheme one by one, so that tests can hold each against integers of any size.
#include "bindings/buffers.h"
#include "bindings/rooms.h"
#include "he/bit_packing.h"
#include "he/product.h"
#include "he/sampling.h"
#include "he/scaling.h"

namespace py = pybind11;
namespace he = pi::he;
using pi::python::isa_of;
using pi::python::ReadView;
using pi::python::WriteView;

namespace {

const he::PrimeRing& ring_of(std::size_t prime) {
  if (prime >= he::kPrimeCount) throw py::value_error("prime: need 0, 1 or 2");
  return he::prime_ring(prime);
}

void product(std::size_t prime, const py::buffer& x, const py::buffer& y, const py::buffer& out,
             const std::string& isa) {
  const ReadView<std::uint64_t> x_view(x, "x", he::kDegree), y_view(y, "y", he::kDegree);
  const WriteView<std::uint64_t> out_view(out, "out", he::kDegree);
  he::negacyclic_product(isa_of(isa), ring_of(prime), x_view.data(), y_view.data(),
                         out_view.data());
}

void sample_uniform(const py::buffer& seed, const py::buffer& out, const std::string& isa) {
  const ReadView<std::uint8_t> seed_view(seed, "seed", he::kSeedBytes);
  const WriteView<std::uint64_t> out_view(out, "out", he::kPrimeCount * he::kDegree);
  he::sample_uniform(isa_of(isa), seed_view.data(), out_view.data());
}

template <void (*kSample)(const std::uint64_t*, std::int8_t*)>
void small_from_words(const py::buffer& words, const py::buffer& out) {
  const ReadView<std::uint64_t> word_view(words, "words", he::kDegree);
  const WriteView<std::int8_t> out_view(out, "out", he::kDegree);
  kSample(word_view.data(), out_view.data());
}

void flood_modulo(std::size_t prime, const py::buffer& words, const py::buffer& out) {
  const he::PrimeRing& ring = ring_of(prime);
  const WriteView<std::uint64_t> out_view(out, "out");
  const ReadView<std::uint64_t> word_view(words, "words", 2 * out_view.size());
  for (std::size_t i = 0; i < out_view.size(); ++i) {
    out_view.data()[i] = he::flood_modulo(ring, word_view.data() + 2 * i);
  }
}

void encode(std::size_t prime, const py::buffer& messages, const py::buffer& out) {
  const he::PrimeRing& ring = ring_of(prime);
  const ReadView<std::uint32_t> message_view(messages, "messages");
  const WriteView<std::uint64_t> out_view(out, "out", message_view.size());
  for (std::size_t i = 0; i < out_view.size(); ++i)
    out_view.data()[i] = he::encode(ring, message_view.data()[i]);
}

void switch_down(const py::buffer& residues, const py::buffer& out) {
  const WriteView<std::uint64_t> out_view(out, "out");
  const std::size_t count = out_view.size();
  const ReadView<std::uint64_t> view(residues, "residues", he::kPrimeCount * count);
  const std::uint64_t* x = view.data();
  for (std::size_t i = 0; i < count; ++i) {
    out_view.data()[i] =
        he::switch_down(he::switch_constants(), x[i], x[count + i], x[2 * count + i]);
  }
}

void decode(const py::buffer& residues, const py::buffer& out) {
  const ReadView<std::uint64_t> view(residues, "residues");
  const WriteView<std::uint32_t> out_view(out, "out", view.size());
  for (std::size_t i = 0; i < view.size(); ++i) out_view.data()[i] = he::decode(view.data()[i]);
}

void pack(const py::buffer& values, const py::buffer& out) {
  const ReadView<std::uint64_t> view(values, "values");
  const WriteView<std::uint8_t> out_view(out, "out", he::packed_bytes(view.size()));
  he::pack(view.data(), view.size(), out_view.data());
}

bool unpack(const py::buffer& packed, std::size_t prime, const py::buffer& out) {
  const he::PrimeRing& ring = ring_of(prime);
  const WriteView<std::uint64_t> out_view(out, "out");
  const ReadView<std::uint8_t> view(packed, "packed", he::packed_bytes(out_view.size()));
  return he::unpack(view.data(), out_view.size(), ring.p, out_view.data());
}

}  // namespace

void bind_he_parts(py::module_& room) {
  py::module_ parts = room.def_submodule("parts");
  parts.def("product", &product, py::arg("prime"), py::arg("x"), py::arg("y"), py::arg("out"),
            py::arg("isa") = "");
  parts.def("sample_uniform", &sample_uniform, py::arg("seed"), py::arg("out"),
            py::arg("isa") = "");
  parts.def("ternary_from_words", &small_from_words<he::ternary_from_words>, py::arg("words"),
            py::arg("out"));
  parts.def("binomial_from_words", &small_from_words<he::binomial_from_words>, py::arg("words"),
            py::arg("out"));
  parts.def("flood_modulo", &flood_modulo, py::arg("prime"), py::arg("words"), py::arg("out"));
  parts.def("encode", &encode, py::arg("prime"), py::arg("messages"), py::arg("out"));
  parts.def("switch_down", &switch_down, py::arg("residues"), py::arg("out"));
  parts.def("decode", &decode, py::arg("residues"), py::arg("out"));
  parts.def("pack", &pack, py::arg("values"), py::arg("out"));
  parts.def("unpack", &unpack, py::arg("packed"), py::arg("prime"), py::arg("out"));
}
