#include <pybind11/stl.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "bindings/buffers.h"
#include "bindings/modules.h"
#include "he/ciphertext.h"
#include "he/copies.h"
#include "he/join.h"
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

bool valid_copies(std::size_t copies, std::size_t spread) {
  return copies >= 1 && copies <= he::kCopyOrder && std::has_single_bit(copies) && spread >= 1 &&
         spread <= he::kDegree && std::has_single_bit(spread) &&
         he::copies_have_keys(copies, spread);
}

// Holds weights (out, in, taps) and exponents (out_block, in_block, taps). The constructor checks
// them.
class LayoutView {
 public:
  LayoutView(const py::object& weights, const py::object& exponents, const py::tuple& shape,
             const py::tuple& block, const py::tuple& copies)
      : weights_(weights, "weights"), exponents_(exponents, "exponents") {
    require(shape.size() == 3 && block.size() == 3 && copies.size() == 2,
            "shape, block and copies: need (out, in, taps), (out, in, run) and (copies, spread)");
    layout_ = {weights_.data(),
               exponents_.data(),
               shape[0].cast<std::size_t>(),
               shape[1].cast<std::size_t>(),
               shape[2].cast<std::size_t>(),
               block[0].cast<std::size_t>(),
               block[1].cast<std::size_t>(),
               block[2].cast<std::size_t>(),
               copies[0].cast<std::size_t>(),
               copies[1].cast<std::size_t>()};
    require(valid_copies(layout_.copies, layout_.spread),
            "copies: need 1 to 8 copies that have keys, and a power of two for their spread");
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
    require(run == 1 || layout_.copies == 1, "copies: need 1 for runs");
    for (std::size_t i = 0; i < exponents_.size(); ++i) {
      require(exponents_.data()[i] < 2 * he::kDegree, "exponents: need items below 2N");
      require(exponents_.data()[i] % run == 0, "exponents: need multiples of the run");
    }
    require(layout_.operands() < he::kMaxProducts, "shape: too many input polynomials for one sum");
  }
  const he::WeightLayout& get() const { return layout_; }
  std::size_t prepared_words() const {
    return layout_.out_polys() * layout_.operands() * he::kPrimeCount * layout_.words();
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

// Holds a request. The constructor checks all of it.
class RequestView {
 public:
  RequestView(const py::object& weights, const py::object& exponents, const py::tuple& shape,
              const py::tuple& block, const py::object& prepared, const py::object& inputs,
              const py::object& public_key, const py::object& seeds, const py::object& masks,
              const py::object& positions, const py::object& starts, const py::tuple& copies)
      : layout_(weights, exponents, shape, block, copies),
        released_(positions, starts),
        tiles_(whole_tiles(layout_, released_)),
        inputs_(inputs, "inputs", tiles_ * layout_.get().operands() * he::kLoadedWords),
        key_(public_key, "public_key", he::kLoadedWords),
        seeds_(seeds, "seeds", released_.get().count * he::kSeedBytes),
        masks_(masks, "masks", released_.size()) {
    if (!prepared.is_none()) prepared_.emplace(prepared, "prepared", layout_.prepared_words());
  }
  he::Request get() const {
    return {layout_.get(),  prepared_ ? prepared_->data() : nullptr,
            inputs_.data(), tiles_,
            key_.data(),    seeds_.data(),
            masks_.data(),  released_.get()};
  }

 private:
  static std::size_t whole_tiles(const LayoutView& layout, const ReleasedView& released) {
    const std::size_t out_polys = layout.get().out_polys();
    require(released.get().count % out_polys == 0, "starts: need whole tiles");
    return released.get().count / out_polys;
  }

  LayoutView layout_;
  ReleasedView released_;
  std::size_t tiles_;
  ReadView<std::uint64_t> inputs_, key_;
  ReadView<std::uint8_t> seeds_;
  ReadView<std::uint32_t> masks_;
  std::optional<ReadView<std::uint64_t>> prepared_;
};

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
  submodule.attr("MAX_JOIN_LEVELS") = he::kMaxJoinLevels;
  submodule.attr("JOIN_KEY_BYTES") = he::kJoinKeyBytes;
  submodule.attr("LOADED_JOIN_KEY_WORDS") = he::kLoadedJoinKeyWords;
  submodule.attr("COPY_PRIME") = he::kCopyPrime;
  submodule.attr("COPY_ORDER") = he::kCopyOrder;
  submodule.attr("COPY_KEYS") = he::kCopyKeys;
  submodule.attr("COPY_KEY_BYTES") = he::kCopyKeyBytes;
  submodule.attr("LOADED_COPY_KEY_WORDS") = he::kLoadedCopyKeyWords;
  const py::tuple no_copies = py::make_tuple(1, 1);
  submodule.def("sample_ternary", &sample_ternary, py::arg("seed"), py::arg("out"),
                py::arg("isa") = "");
  submodule.def("encrypt", &encrypt, py::arg("secret"), py::arg("messages"),
                py::arg("public_seeds"), py::arg("noise_seeds"), py::arg("out"), py::arg("threads"),
                py::arg("copies") = 1, py::arg("isa") = "");
  submodule.def("load", &load, py::arg("ciphertexts"), py::arg("group"), py::arg("out"),
                py::arg("threads"), py::arg("copies") = 1, py::arg("isa") = "");
  submodule.def("decrypt", &decrypt, py::arg("secret"), py::arg("answer"), py::arg("positions"),
                py::arg("starts"), py::arg("out"), py::arg("threads"), py::arg("isa") = "");
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
  submodule.def("make_join_keys", &make_join_keys, py::arg("secret"), py::arg("public_seeds"),
                py::arg("noise_seeds"), py::arg("out"), py::arg("isa") = "");
  submodule.def("load_join_keys", &load_join_keys, py::arg("keys"), py::arg("out"),
                py::arg("isa") = "");
  submodule.def("make_copy_keys", &make_copy_keys, py::arg("secret"), py::arg("public_seeds"),
                py::arg("noise_seeds"), py::arg("out"), py::arg("isa") = "");
  submodule.def("load_copy_keys", &load_copy_keys, py::arg("keys"), py::arg("out"),
                py::arg("isa") = "");
  submodule.def("add_copies", &add_copies, py::arg("ciphertexts"), py::arg("group"),
                py::arg("copies"), py::arg("keys"), py::arg("loaded"), py::arg("threads"),
                py::arg("isa") = "");
  submodule.def("join", &join, py::arg("c1"), py::arg("c0"), py::arg("keys"), py::arg("per_answer"),
                py::arg("positions"), py::arg("starts"), py::arg("out"), py::arg("threads"),
                py::arg("isa") = "");
  bind_he_parts(submodule);
}
