#include "bindings/buffers.h"
#include "bindings/extensions.h"
#include "bindings/modules.h"
#include "ot/additive.h"
#include "ot/gilboa.h"
#include "ot/softspoken.h"
#include "symmetric/tweak.h"

namespace py = pybind11;
using pi::python::Integer;
using pi::python::isa_of;
using pi::python::ReadView;
using pi::python::Text;
using pi::python::WriteView;
using Bytes = ReadView<std::uint8_t>;
using BytesOut = WriteView<std::uint8_t>;
using Words = ReadView<std::uint32_t>;
using WordsOut = WriteView<std::uint32_t>;

namespace {

std::size_t checked_count(std::size_t count) {
  if (count % pi::kLanes != 0 || count >= std::size_t{1} << 40) {
    throw py::value_error("count: need a multiple of 32 below 2**40, got " + std::to_string(count));
  }
  return count;
}

void check_tweak(std::uint32_t gadget, std::uint32_t first_group, std::size_t count) {
  if (gadget >= 1u << 24 || first_group + count / pi::kLanes > std::size_t{1} << 32) {
    throw py::value_error("a gadget's number has 24 bits, a group's number has 32");
  }
}

void grow_trees(const py::object& roots, const py::object& base_pairs, const py::object& leaves,
                const py::object& message, const Text& isa) {
  const Bytes root_view(roots, "roots", pi::kTrees * pi::kSeedBytes);
  const Bytes pair_view(base_pairs, "base_pairs", pi::kTreeMessageBytes);
  const BytesOut leaf_view(leaves, "leaves", pi::kLeafBytes);
  const BytesOut message_view(message, "message", pi::kTreeMessageBytes);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::grow_trees(path, root_view.data(), pair_view.data(), leaf_view.data(), message_view.data());
}

void puncture_trees(const py::object& delta, const py::object& base_keys, const py::object& message,
                    const py::object& leaves, const Text& isa) {
  const Bytes delta_view(delta, "delta", pi::kSeedBytes);
  const Bytes key_view(base_keys, "base_keys", pi::kCotBits * pi::kSeedBytes);
  const Bytes message_view(message, "message", pi::kTreeMessageBytes);
  const BytesOut leaf_view(leaves, "leaves", pi::kLeafBytes);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::puncture_trees(path, delta_view.data(), key_view.data(), message_view.data(),
                     leaf_view.data());
}

void extend_receiver(const py::object& leaves, Integer<std::uint64_t> first_chunk,
                     Integer<std::size_t> count, const py::object& choice_bits,
                     const py::object& message, const py::object& labels, Integer<int> threads,
                     const Text& isa) {
  checked_count(count);
  const Bytes leaf_view(leaves, "leaves", pi::kLeafBytes);
  const Bytes choice_view(choice_bits, "choice_bits", count / 8);
  const BytesOut message_view(message, "message", pi::extension_bytes(count));
  const BytesOut label_view(labels, "labels", pi::kSeedBytes * count);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::extend_receiver(path, leaf_view.data(), first_chunk, count, choice_view.data(),
                      message_view.data(), label_view.data(), threads);
}

void extend_sender(const py::object& leaves, const py::object& delta,
                   Integer<std::uint64_t> first_chunk, Integer<std::size_t> count,
                   const py::object& message, const py::object& zero_labels, Integer<int> threads,
                   const Text& isa) {
  checked_count(count);
  const Bytes leaf_view(leaves, "leaves", pi::kLeafBytes);
  const Bytes delta_view(delta, "delta", pi::kSeedBytes);
  const Bytes message_view(message, "message", pi::extension_bytes(count));
  const BytesOut label_view(zero_labels, "zero_labels", pi::kSeedBytes * count);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::extend_sender(path, leaf_view.data(), delta_view.data(), first_chunk, count,
                    message_view.data(), label_view.data(), threads);
}

void additive_send(const py::object& delta, const py::object& hash_seed,
                   Integer<std::uint32_t> gadget, Integer<std::uint32_t> first_group,
                   const py::object& zero_labels, const py::object& correlation,
                   const py::object& tau, const py::object& beta, Integer<int> threads,
                   const Text& isa) {
  const Words correlation_view(correlation, "correlation");
  const std::size_t count = checked_count(correlation_view.size());
  check_tweak(gadget, first_group, count);
  const Bytes delta_view(delta, "delta", pi::kSeedBytes);
  const Bytes seed_view(hash_seed, "hash_seed", pi::kSeedBytes);
  const Bytes label_view(zero_labels, "zero_labels", pi::kSeedBytes * count);
  const WordsOut tau_view(tau, "tau", count);
  const WordsOut beta_view(beta, "beta", count);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::additive_send(path, delta_view.data(), seed_view.data(), gadget, first_group,
                    count / pi::kLanes, label_view.data(), correlation_view.data(), tau_view.data(),
                    beta_view.data(), threads);
}

void additive_receive(const py::object& hash_seed, Integer<std::uint32_t> gadget,
                      Integer<std::uint32_t> first_group, const py::object& active_labels,
                      const py::object& choices, const py::object& tau, const py::object& alpha,
                      Integer<int> threads, const Text& isa) {
  const Words tau_view(tau, "tau");
  const std::size_t count = checked_count(tau_view.size());
  check_tweak(gadget, first_group, count);
  const Bytes seed_view(hash_seed, "hash_seed", pi::kSeedBytes);
  const Bytes label_view(active_labels, "active_labels", pi::kSeedBytes * count);
  const Bytes choice_view(choices, "choices", count);
  const WordsOut alpha_view(alpha, "alpha", count);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::additive_receive(path, seed_view.data(), gadget, first_group, count / pi::kLanes,
                       label_view.data(), choice_view.data(), tau_view.data(), alpha_view.data(),
                       threads);
}

std::size_t checked_bits(std::size_t bit_count) {
  if (bit_count < 1 || bit_count > 32) {
    throw py::value_error("bit_count: need 1 to 32, got " + std::to_string(bit_count));
  }
  return bit_count;
}

void product_send(const py::object& delta, const py::object& hash_seed,
                  Integer<std::uint32_t> number, Integer<std::uint32_t> first_group,
                  Integer<std::size_t> bit_count, const py::object& zero_labels,
                  const py::object& factor, const py::object& corrections, const py::object& share,
                  Integer<int> threads, const Text& isa) {
  const Words factor_view(factor, "factor");
  const std::size_t count = checked_count(factor_view.size());
  const std::size_t groups = count / pi::kLanes;
  check_tweak(number, first_group, count);
  const std::size_t correction_count = groups * pi::correction_words(checked_bits(bit_count));
  const Bytes delta_view(delta, "delta", pi::kSeedBytes);
  const Bytes seed_view(hash_seed, "hash_seed", pi::kSeedBytes);
  const Bytes label_view(zero_labels, "zero_labels", pi::kSeedBytes * bit_count * count);
  const WordsOut correction_view(corrections, "corrections", correction_count);
  const WordsOut share_view(share, "share", count);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::product_send(path, delta_view.data(), seed_view.data(), number, first_group, groups,
                   bit_count, label_view.data(), factor_view.data(), correction_view.data(),
                   share_view.data(), threads);
}

void product_receive(const py::object& hash_seed, Integer<std::uint32_t> number,
                     Integer<std::uint32_t> first_group, Integer<std::size_t> bit_count,
                     const py::object& active_labels, const py::object& factor,
                     const py::object& corrections, const py::object& share, Integer<int> threads,
                     const Text& isa) {
  const Words factor_view(factor, "factor");
  const std::size_t count = checked_count(factor_view.size());
  const std::size_t groups = count / pi::kLanes;
  check_tweak(number, first_group, count);
  const std::size_t correction_count = groups * pi::correction_words(checked_bits(bit_count));
  const Bytes seed_view(hash_seed, "hash_seed", pi::kSeedBytes);
  const Bytes label_view(active_labels, "active_labels", pi::kSeedBytes * bit_count * count);
  const Words correction_view(corrections, "corrections", correction_count);
  const WordsOut share_view(share, "share", count);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::product_receive(path, seed_view.data(), number, first_group, groups, bit_count,
                      label_view.data(), factor_view.data(), correction_view.data(),
                      share_view.data(), threads);
}

}  // namespace

void bind_ot(py::module_& module) {
  py::module_ submodule = module.def_submodule("ot");
  submodule.attr("CHUNK_OTS") = pi::kChunkOts;
  submodule.attr("LEAF_BYTES") = pi::kLeafBytes;
  submodule.attr("TREE_MESSAGE_BYTES") = pi::kTreeMessageBytes;
  submodule.attr("ROOT_BYTES") = pi::kTrees * pi::kSeedBytes;
  py::class_<pi::python::SenderOts>(submodule, "SenderOts")
      .def(py::init<const py::object&, const py::object&, Integer<std::uint64_t>,
                    Integer<std::size_t>, const py::object&>(),
           py::kw_only(), py::arg("leaves"), py::arg("delta"), py::arg("first_chunk"),
           py::arg("count"), py::arg("message"));
  py::class_<pi::python::ReceiverOts>(submodule, "ReceiverOts")
      .def(py::init<const py::object&, Integer<std::uint64_t>, Integer<std::size_t>,
                    const py::object&, const py::object&>(),
           py::kw_only(), py::arg("leaves"), py::arg("first_chunk"), py::arg("count"),
           py::arg("choice_bits"), py::arg("message"));
  submodule.def("grow_trees", &grow_trees, py::arg("roots"), py::arg("base_pairs"),
                py::arg("leaves"), py::arg("message"), py::arg("isa") = "");
  submodule.def("puncture_trees", &puncture_trees, py::arg("delta"), py::arg("base_keys"),
                py::arg("message"), py::arg("leaves"), py::arg("isa") = "");
  submodule.def("extend_receiver", &extend_receiver, py::arg("leaves"), py::arg("first_chunk"),
                py::arg("count"), py::arg("choice_bits"), py::arg("message"), py::arg("labels"),
                py::arg("threads") = 1, py::arg("isa") = "");
  submodule.def("extend_sender", &extend_sender, py::arg("leaves"), py::arg("delta"),
                py::arg("first_chunk"), py::arg("count"), py::arg("message"),
                py::arg("zero_labels"), py::arg("threads") = 1, py::arg("isa") = "");
  submodule.def("additive_send", &additive_send, py::arg("delta"), py::arg("hash_seed"),
                py::arg("gadget"), py::arg("first_group"), py::arg("zero_labels"),
                py::arg("correlation"), py::arg("tau"), py::arg("beta"), py::arg("threads") = 1,
                py::arg("isa") = "");
  submodule.def("additive_receive", &additive_receive, py::arg("hash_seed"), py::arg("gadget"),
                py::arg("first_group"), py::arg("active_labels"), py::arg("choices"),
                py::arg("tau"), py::arg("alpha"), py::arg("threads") = 1, py::arg("isa") = "");
  submodule.def("product_send", &product_send, py::arg("delta"), py::arg("hash_seed"),
                py::arg("number"), py::arg("first_group"), py::arg("bit_count"),
                py::arg("zero_labels"), py::arg("factor"), py::arg("corrections"), py::arg("share"),
                py::arg("threads") = 1, py::arg("isa") = "");
  submodule.def("product_receive", &product_receive, py::arg("hash_seed"), py::arg("number"),
                py::arg("first_group"), py::arg("bit_count"), py::arg("active_labels"),
                py::arg("factor"), py::arg("corrections"), py::arg("share"), py::arg("threads") = 1,
                py::arg("isa") = "");
}
