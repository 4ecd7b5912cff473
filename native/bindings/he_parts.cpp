// Binds the parts of the scheme one by one, so that tests can compare each with integers of any
// size.
#include <algorithm>
#include <vector>

#include "bindings/buffers.h"
#include "bindings/modules.h"
#include "he/bit_packing.h"
#include "he/product.h"
#include "he/residues.h"
#include "he/sampling.h"

namespace py = pybind11;
namespace he = pi::he;
using pi::python::isa_of;
using pi::python::ReadView;
using pi::python::WriteView;

namespace {

const he::PrimeRing& ring_of(std::size_t prime) {
  if (prime >= he::kCopyPrimes) throw py::value_error("prime: need 0 to 3");
  return he::prime_ring(prime);
}

void product(std::size_t prime, const py::buffer& x, const py::buffer& y, const py::buffer& out,
             const std::string& isa) {
  const ReadView<std::uint64_t> x_view(x, "x", he::kDegree), y_view(y, "y", he::kDegree);
  const WriteView<std::uint64_t> out_view(out, "out", he::kDegree);
  he::negacyclic_product(isa_of(isa), ring_of(prime), x_view.data(), y_view.data(),
                         out_view.data());
}

// Inverts the transform of a polynomial.
void inverse(std::size_t prime, const py::buffer& x, const py::buffer& out,
             const std::string& isa) {
  const ReadView<std::uint64_t> x_view(x, "x", he::kDegree);
  const WriteView<std::uint64_t> out_view(out, "out", he::kDegree);
  std::copy_n(x_view.data(), he::kDegree, out_view.data());
  he::transform_kernels(isa_of(isa)).inverse(ring_of(prime), out_view.data());
}

void sample_uniform(const py::buffer& seed, const py::buffer& out, const std::string& isa) {
  const ReadView<std::uint8_t> seed_view(seed, "seed", he::kSeedBytes);
  const WriteView<std::uint64_t> out_view(out, "out");
  const std::size_t primes = out_view.size() / he::kDegree;
  if (out_view.size() % he::kDegree != 0 || primes < 1 || primes > he::kCopyPrimes) {
    throw py::value_error("out: need N words for each of 1 to 4 primes");
  }
  he::sample_uniform(isa_of(isa), seed_view.data(), out_view.data(), primes);
}

// `count` items of a view and as many zeros as the kernels' lanes need.
template <class T>
std::vector<T> padded_copy(const T* items, std::size_t count) {
  std::vector<T> copy(he::padded(count));
  std::copy_n(items, count, copy.begin());
  return copy;
}

template <class T>
void copy_out(const std::vector<T>& from, const WriteView<T>& to) {
  std::copy_n(from.begin(), to.size(), to.data());
}

template <auto kKernel>
void small_from_words(const py::buffer& words, const py::buffer& out, const std::string& isa) {
  const ReadView<std::uint64_t> word_view(words, "words", he::kDegree);
  const WriteView<std::int8_t> out_view(out, "out", he::kDegree);
  (he::residue_kernels(isa_of(isa)).*kKernel)(word_view.data(), he::kDegree, out_view.data());
}

void flood_modulo(std::size_t prime, const py::buffer& words, const py::buffer& out,
                  const std::string& isa) {
  const WriteView<std::uint64_t> out_view(out, "out");
  const std::size_t count = out_view.size();
  const ReadView<std::uint64_t> word_view(words, "words", 2 * count);
  std::vector<std::uint64_t> in(2 * he::padded(count)), result(he::padded(count));
  std::copy_n(word_view.data(), 2 * count, in.begin());
  he::residue_kernels(isa_of(isa)).flood(ring_of(prime), in.data(), result.size(), result.data());
  copy_out(result, out_view);
}

void encode(std::size_t prime, const py::buffer& messages, const py::buffer& out,
            const std::string& isa) {
  const ReadView<std::uint32_t> view(messages, "messages");
  const WriteView<std::uint64_t> out_view(out, "out", view.size());
  const std::vector<std::uint32_t> in = padded_copy(view.data(), view.size());
  std::vector<std::uint64_t> result(in.size());
  he::residue_kernels(isa_of(isa)).encode(ring_of(prime), in.data(), in.size(), result.data());
  copy_out(result, out_view);
}

void switch_down(const py::buffer& residues, const py::buffer& out, const std::string& isa) {
  const WriteView<std::uint64_t> out_view(out, "out");
  const std::size_t count = out_view.size();
  const ReadView<std::uint64_t> view(residues, "residues", he::kPrimeCount * count);
  std::vector<std::uint64_t> x[he::kPrimeCount], result(he::padded(count));
  for (std::size_t k = 0; k < he::kPrimeCount; ++k)
    x[k] = padded_copy(view.data() + k * count, count);
  he::residue_kernels(isa_of(isa))
      .switch_down(he::switch_constants(), x[0].data(), x[1].data(), x[2].data(), result.size(),
                   result.data());
  copy_out(result, out_view);
}

void decode(const py::buffer& residues, const py::buffer& out, const std::string& isa) {
  const ReadView<std::uint64_t> view(residues, "residues");
  const WriteView<std::uint32_t> out_view(out, "out", view.size());
  const std::vector<std::uint64_t> in = padded_copy(view.data(), view.size());
  std::vector<std::uint32_t> result(in.size());
  he::residue_kernels(isa_of(isa)).decode(in.data(), in.size(), result.data());
  copy_out(result, out_view);
}

void lift(std::size_t prime, const py::buffer& small, const py::buffer& out,
          const std::string& isa) {
  const ReadView<std::int32_t> view(small, "small");
  const WriteView<std::uint64_t> out_view(out, "out", view.size());
  const std::vector<std::int32_t> in = padded_copy(view.data(), view.size());
  std::vector<std::uint64_t> result(in.size());
  he::residue_kernels(isa_of(isa)).lift(ring_of(prime).p, in.data(), in.size(), result.data());
  copy_out(result, out_view);
}

void pack(const py::buffer& values, const py::buffer& out, const std::string& isa) {
  const ReadView<std::uint64_t> view(values, "values");
  const WriteView<std::uint8_t> out_view(out, "out", he::packed_bytes(view.size()));
  he::residue_kernels(isa_of(isa)).pack(view.data(), view.size(), out_view.data());
}

bool unpack(const py::buffer& packed, std::size_t prime, const py::buffer& out,
            const std::string& isa) {
  const he::PrimeRing& ring = ring_of(prime);
  const WriteView<std::uint64_t> out_view(out, "out");
  const ReadView<std::uint8_t> view(packed, "packed", he::packed_bytes(out_view.size()));
  return he::residue_kernels(isa_of(isa))
      .unpack(view.data(), out_view.size(), ring.p, out_view.data());
}

}  // namespace

void bind_he_parts(py::module_& submodule) {
  py::module_ parts = submodule.def_submodule("parts");
  parts.def("product", &product, py::arg("prime"), py::arg("x"), py::arg("y"), py::arg("out"),
            py::arg("isa") = "");
  parts.def("inverse", &inverse, py::arg("prime"), py::arg("x"), py::arg("out"),
            py::arg("isa") = "");
  parts.def("sample_uniform", &sample_uniform, py::arg("seed"), py::arg("out"),
            py::arg("isa") = "");
  parts.def("ternary_from_words", &small_from_words<&he::ResidueKernels::ternary>, py::arg("words"),
            py::arg("out"), py::arg("isa") = "");
  parts.def("binomial_from_words", &small_from_words<&he::ResidueKernels::binomial>,
            py::arg("words"), py::arg("out"), py::arg("isa") = "");
  parts.def("flood_modulo", &flood_modulo, py::arg("prime"), py::arg("words"), py::arg("out"),
            py::arg("isa") = "");
  parts.def("encode", &encode, py::arg("prime"), py::arg("messages"), py::arg("out"),
            py::arg("isa") = "");
  parts.def("switch_down", &switch_down, py::arg("residues"), py::arg("out"), py::arg("isa") = "");
  parts.def("decode", &decode, py::arg("residues"), py::arg("out"), py::arg("isa") = "");
  parts.def("lift", &lift, py::arg("prime"), py::arg("small"), py::arg("out"), py::arg("isa") = "");
  parts.def("pack", &pack, py::arg("values"), py::arg("out"), py::arg("isa") = "");
  parts.def("unpack", &unpack, py::arg("packed"), py::arg("prime"), py::arg("out"),
            py::arg("isa") = "");
}
