#include <pybind11/stl.h>

#include <bit>
#include <optional>

#include "bindings/buffers.h"
#include "bindings/modules.h"
#include "he/ciphertext.h"
#include "he/response.h"
#include "he/transform.h"
#include "he/wiped_buffer.h"

namespace py = pybind11;
namespace he = pi::he;
using pi::python::Integer;
using pi::python::isa_of;
using pi::python::ReadView;
using pi::python::Text;
using pi::python::WriteView;

namespace {

constexpr std::size_t kMaxPolys = std::size_t{1} << 20;

void require(bool good, const char* what) {
  if (!good) throw py::value_error(what);
}

int checked_threads(int threads) {
  require(threads >= 1 && threads <= 1024, "threads: need 1 to 1024");
  return threads;
}

// Holds the released coefficients of `count` responses. The constructor checks all of them.
class ReleasedView {
 public:
  ReleasedView(const py::object& positions, const py::object& starts)
      : positions_(positions, "positions"), starts_(starts, "starts") {
    require(starts_.size() >= 2 && starts_.size() <= kMaxPolys,
            "starts: need one item more than responses");
    for (std::size_t i = 0; i + 1 < starts_.size(); ++i) {
      const std::uint64_t begin = starts_.data()[i], end = starts_.data()[i + 1];
      require(begin <= end && end - begin <= he::kDegree,
              "starts: need ascending items, at most N apart");
    }
    require(starts_.data()[0] == 0 && starts_.data()[starts_.size() - 1] == positions_.size(),
            "starts: need 0 first and the number of positions last");
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      require(positions_.data()[i] < he::kDegree, "positions: need items below N");
    }
  }
  he::Released get() const { return {positions_.data(), starts_.data(), starts_.size() - 1}; }
  std::size_t size() const { return positions_.size(); }

 private:
  ReadView<std::uint16_t> positions_;
  ReadView<std::uint64_t> starts_;
};

// Holds weights (out, in, taps) and exponents (out_block, in_block, taps). The constructor checks
// them.
class LayoutView {
 public:
  LayoutView(const py::object& weights, const py::object& exponents, const py::tuple& shape,
             const py::tuple& block)
      : weights_(weights, "weights"), exponents_(exponents, "exponents") {
    require(shape.size() == 3 && block.size() == 3,
            "shape and block: need (out, in, taps) and (out, in, run)");
    layout_ = {weights_.data(),
               exponents_.data(),
               shape[0].cast<std::size_t>(),
               shape[1].cast<std::size_t>(),
               shape[2].cast<std::size_t>(),
               block[0].cast<std::size_t>(),
               block[1].cast<std::size_t>(),
               block[2].cast<std::size_t>()};
    for (const std::size_t extent : {layout_.out_channels, layout_.in_channels, layout_.taps,
                                     layout_.out_block, layout_.in_block}) {
      require(extent >= 1 && extent <= kMaxPolys,
              "shape and block: need positive extents below 2^20");
    }
    require(weights_.size() == layout_.out_channels * layout_.in_channels * layout_.taps,
            "weights: size and shape differ");
    require(exponents_.size() == layout_.out_block * layout_.in_block * layout_.taps,
            "exponents: size and shape differ");
    const std::size_t run = layout_.run;
    require(run == 1 || (std::has_single_bit(run) && run >= he::kMinRun && run <= he::kDegree),
            "block: a run is 1, or a power of two from 64 to N");
    for (std::size_t i = 0; i < exponents_.size(); ++i) {
      require(exponents_.data()[i] < 2 * he::kDegree, "exponents: need items below 2N");
      require(exponents_.data()[i] % run == 0, "exponents: need multiples of the run");
    }
    require(layout_.in_polys() < he::kMaxProducts, "shape: too many input polynomials for one sum");
  }
  const he::WeightLayout& get() const { return layout_; }
  std::size_t prepared_words() const {
    return layout_.out_polys() * layout_.in_polys() * he::kPrimeCount * layout_.words();
  }

 private:
  ReadView<std::int16_t> weights_;
  ReadView<std::uint16_t> exponents_;
  he::WeightLayout layout_{};
};

void sample_ternary(const py::object& seed, const py::object& out, const Text& isa) {
  const ReadView<std::uint8_t> seed_view(seed, "seed", he::kSeedBytes);
  const WriteView<std::int8_t> out_view(out, "out", he::kDegree);
  he::WipedBuffer<std::uint64_t> words(he::kDegree);
  he::sample_ternary(isa_of(isa), seed_view.data(), words.data(), out_view.data());
}

void encrypt(const py::object& secret, const py::object& messages, const py::object& public_seeds,
             const py::object& noise_seeds, const py::object& out, Integer<int> threads,
             const Text& isa) {
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
  he::encrypt(path, secret_view.data(), message_data, count, public_view.data(), noise_view.data(),
              out_view.data(), threads);
}

bool load(const py::object& ciphertexts, Integer<std::size_t> group, const py::object& out,
          Integer<int> threads, const Text& isa) {
  const ReadView<std::uint8_t> in_view(ciphertexts, "ciphertexts");
  require(in_view.size() % he::kCiphertextBytes == 0, "ciphertexts: need whole ciphertexts");
  const std::size_t count = in_view.size() / he::kCiphertextBytes;
  require(group >= 1 && count % group == 0, "group: need whole groups of ciphertexts");
  const WriteView<std::uint64_t> out_view(out, "out", count * he::kLoadedWords);
  const pi::Isa path = isa_of(isa);
  checked_threads(threads);
  const py::gil_scoped_release release;
  return he::load(path, in_view.data(), count, group, out_view.data(), threads);
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

void prepare_weights(const py::object& weights, const py::object& exponents, const py::tuple& shape,
                     const py::tuple& block, const py::object& out, Integer<int> threads,
                     const Text& isa) {
  const LayoutView layout(weights, exponents, shape, block);
  const WriteView<std::uint64_t> out_view(out, "out", layout.prepared_words());
  const pi::Isa path = isa_of(isa);
  checked_threads(threads);
  const py::gil_scoped_release release;
  he::prepare_weights(path, layout.get(), out_view.data(), threads);
}

void respond(const py::object& weights, const py::object& exponents, const py::tuple& shape,
             const py::tuple& block, const py::object& prepared, const py::object& inputs,
             const py::object& public_key, const py::object& seeds, const py::object& masks,
             const py::object& positions, const py::object& starts, const py::object& out,
             Integer<int> threads, const Text& isa) {
  const LayoutView layout(weights, exponents, shape, block);
  const ReleasedView released(positions, starts);
  he::Request request{};
  request.layout = layout.get();
  request.released = released.get();
  const std::size_t out_polys = request.layout.out_polys();
  require(request.released.count % out_polys == 0, "starts: need whole tiles");
  request.tiles = request.released.count / out_polys;
  const std::size_t input_text = request.tiles * request.layout.in_polys() * he::kLoadedWords;
  const ReadView<std::uint64_t> input_view(inputs, "inputs", input_text);
  const ReadView<std::uint64_t> key_view(public_key, "public_key", he::kLoadedWords);
  const ReadView<std::uint8_t> seed_view(seeds, "seeds", request.released.count * he::kSeedBytes);
  const ReadView<std::uint32_t> mask_view(masks, "masks", released.size());
  const WriteView<std::uint8_t> out_view(out, "out",
                                         request.released.offset(request.released.count));
  std::optional<ReadView<std::uint64_t>> prepared_view;
  if (!prepared.is_none()) prepared_view.emplace(prepared, "prepared", layout.prepared_words());
  request.prepared = prepared_view ? prepared_view->data() : nullptr;
  request.inputs = input_view.data();
  request.public_key = key_view.data();
  request.seeds = seed_view.data();
  request.masks = mask_view.data();
  const pi::Isa path = isa_of(isa);
  checked_threads(threads);
  const py::gil_scoped_release release;
  he::respond(path, request, out_view.data(), threads);
}

}  // namespace

void bind_he(py::module_& module) {
  py::module_ submodule = module.def_submodule("he");
  submodule.attr("DEGREE") = he::kDegree;
  submodule.attr("PRIMES") = py::make_tuple(he::kPrimes[0], he::kPrimes[1], he::kPrimes[2]);
  submodule.attr("PLAIN_BITS") = he::kPlainBits;
  submodule.attr("FLOOD_BITS") = he::kFloodBits;
  submodule.attr("BINOMIAL_BITS") = he::kBinomialBits;
  submodule.attr("SEED_BYTES") = he::kSeedBytes;
  submodule.attr("CIPHERTEXT_BYTES") = he::kCiphertextBytes;
  submodule.attr("PACKED_POLY_BYTES") = he::kPackedPolyBytes;
  submodule.attr("LOADED_WORDS") = he::kLoadedWords;
  submodule.attr("MAX_PRODUCTS") = he::kMaxProducts;
  submodule.attr("MIN_RUN") = he::kMinRun;
  submodule.def("sample_ternary", &sample_ternary, py::arg("seed"), py::arg("out"),
                py::arg("isa") = "");
  submodule.def("encrypt", &encrypt, py::arg("secret"), py::arg("messages"),
                py::arg("public_seeds"), py::arg("noise_seeds"), py::arg("out"), py::arg("threads"),
                py::arg("isa") = "");
  submodule.def("load", &load, py::arg("ciphertexts"), py::arg("group"), py::arg("out"),
                py::arg("threads"), py::arg("isa") = "");
  submodule.def("decrypt", &decrypt, py::arg("secret"), py::arg("answer"), py::arg("positions"),
                py::arg("starts"), py::arg("out"), py::arg("threads"), py::arg("isa") = "");
  submodule.def("prepare_weights", &prepare_weights, py::arg("weights"), py::arg("exponents"),
                py::arg("shape"), py::arg("block"), py::arg("out"), py::arg("threads"),
                py::arg("isa") = "");
  submodule.def("respond", &respond, py::arg("weights"), py::arg("exponents"), py::arg("shape"),
                py::arg("block"), py::arg("prepared"), py::arg("inputs"), py::arg("public_key"),
                py::arg("seeds"), py::arg("masks"), py::arg("positions"), py::arg("starts"),
                py::arg("out"), py::arg("threads"), py::arg("isa") = "");
  bind_he_parts(submodule);
}
