#include "ot/ferret.h"

#include "bindings/buffers.h"
#include "bindings/modules.h"

namespace py = pybind11;
using pi::python::Integer;
using pi::python::isa_of;
using pi::python::ReadView;
using pi::python::Text;
using pi::python::WriteView;
using Bytes = ReadView<std::uint8_t>;
using BytesOut = WriteView<std::uint8_t>;

namespace {

constexpr std::size_t kLabelBytes = 16;

std::size_t checked_groups(std::size_t groups, std::uint32_t batch, std::uint32_t first_group,
                           int levels) {
  if (levels < pi::kFerretLeastLevels || levels > pi::kFerretMostLevels) {
    throw py::value_error("levels: need " + std::to_string(pi::kFerretLeastLevels) + " to " +
                          std::to_string(pi::kFerretMostLevels) + ", got " +
                          std::to_string(levels));
  }
  if (batch >= 1u << 24 || groups >= std::size_t{1} << 24 || first_group >= 1u << 24) {
    throw py::value_error("a batch, a group and the number of groups have 24 bits");
  }
  return groups;
}

std::size_t path_bytes(std::size_t groups, int levels) {
  return groups * pi::kFerretTrees * static_cast<std::size_t>(levels) * kLabelBytes;
}

// Returns the number of labels in `secrets`.
std::uint32_t secret_count(const Bytes& secrets) {
  const std::size_t count = secrets.size() / kLabelBytes;
  if (count == 0 || count > pi::kFerretMostSecrets || secrets.size() % kLabelBytes != 0) {
    throw py::value_error("secrets: need 1 to 2**24 labels of 16 bytes, got " +
                          std::to_string(secrets.size()) + " bytes");
  }
  return static_cast<std::uint32_t>(count);
}

std::size_t checked_count(std::size_t count) {
  if (count % 32 != 0 || count >= std::size_t{1} << 40) {
    throw py::value_error("count: need a multiple of 32 below 2**40, got " + std::to_string(count));
  }
  return count;
}

void ferret_correct(const py::object& hash_seed, Integer<std::uint32_t> batch,
                    Integer<std::size_t> groups, Integer<int> levels, const py::object& delta,
                    const py::object& path_labels, const py::object& corrections,
                    Integer<int> threads, const Text& isa) {
  checked_groups(groups, batch, 0, levels);
  const Bytes seed_view(hash_seed, "hash_seed", kLabelBytes);
  const Bytes delta_view(delta, "delta", kLabelBytes);
  const Bytes path_view(path_labels, "path_labels", path_bytes(groups, levels));
  const BytesOut out_view(corrections, "corrections",
                          groups * pi::ferret_group_corrections(levels));
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::ferret_correct(path, {seed_view.data(), batch, 0, groups, levels}, delta_view.data(),
                     path_view.data(), out_view.data(), threads);
}

void ferret_send(const py::object& hash_seed, Integer<std::uint32_t> batch,
                 Integer<std::uint32_t> first_group, Integer<std::size_t> groups,
                 Integer<int> levels, const py::object& code_seed, const py::object& secrets,
                 const py::object& delta, const py::object& path_labels, const py::object& labels,
                 Integer<int> threads, const Text& isa) {
  checked_groups(groups, batch, first_group, levels);
  const Bytes seed_view(hash_seed, "hash_seed", kLabelBytes);
  const Bytes code_view(code_seed, "code_seed", kLabelBytes);
  const Bytes secret_view(secrets, "secrets");
  const Bytes delta_view(delta, "delta", kLabelBytes);
  const Bytes path_view(path_labels, "path_labels", path_bytes(groups, levels));
  const BytesOut label_view(labels, "labels", groups * pi::ferret_group_ots(levels) * kLabelBytes);
  const std::uint32_t count = secret_count(secret_view);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::ferret_send(path, {seed_view.data(), batch, first_group, groups, levels},
                  {code_view.data(), secret_view.data(), count}, delta_view.data(),
                  path_view.data(), label_view.data(), threads);
}

void ferret_receive(const py::object& hash_seed, Integer<std::uint32_t> batch,
                    Integer<std::uint32_t> first_group, Integer<std::size_t> groups,
                    Integer<int> levels, const py::object& code_seed, const py::object& secrets,
                    const py::object& path_labels, const py::object& corrections,
                    const py::object& labels, Integer<int> threads, const Text& isa) {
  checked_groups(groups, batch, first_group, levels);
  const Bytes seed_view(hash_seed, "hash_seed", kLabelBytes);
  const Bytes code_view(code_seed, "code_seed", kLabelBytes);
  const Bytes secret_view(secrets, "secrets");
  const Bytes path_view(path_labels, "path_labels", path_bytes(groups, levels));
  const Bytes correction_view(corrections, "corrections",
                              groups * pi::ferret_group_corrections(levels));
  const BytesOut label_view(labels, "labels", groups * pi::ferret_group_ots(levels) * kLabelBytes);
  const std::uint32_t count = secret_count(secret_view);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::ferret_receive(path, {seed_view.data(), batch, first_group, groups, levels},
                     {code_view.data(), secret_view.data(), count}, path_view.data(),
                     correction_view.data(), label_view.data(), threads);
}

void derandomize_receiver(const py::object& labels, Integer<std::size_t> count,
                          const py::object& choice_bits, bool even, const py::object& message,
                          const py::object& out_labels, const Text& isa) {
  checked_count(count);
  const Bytes from_view(labels, "labels", kLabelBytes * count);
  const Bytes choice_view(choice_bits, "choice_bits", count / 8);
  const BytesOut message_view(message, "message", count / 8);
  const BytesOut to_view(out_labels, "out_labels", kLabelBytes * count);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::derandomize_receiver(path, from_view.data(), count, choice_view.data(), even,
                           message_view.data(), to_view.data());
}

void derandomize_sender(const py::object& labels, Integer<std::size_t> count,
                        const py::object& delta, const py::object& message,
                        const py::object& out_labels, const Text& isa) {
  checked_count(count);
  const Bytes from_view(labels, "labels", kLabelBytes * count);
  const Bytes delta_view(delta, "delta", kLabelBytes);
  const Bytes message_view(message, "message", count / 8);
  const BytesOut to_view(out_labels, "out_labels", kLabelBytes * count);
  const pi::Isa path = isa_of(isa);
  const py::gil_scoped_release release;
  pi::derandomize_sender(path, from_view.data(), count, delta_view.data(), message_view.data(),
                         to_view.data());
}

}  // namespace

void bind_ferret(py::module_& module) {
  py::module_ submodule = module.def_submodule("ferret");
  submodule.attr("GROUP_TREES") = pi::kFerretTrees;
  submodule.attr("ROW_ONES") = pi::kFerretOnes;
  submodule.def("correct", &ferret_correct, py::arg("hash_seed"), py::arg("batch"),
                py::arg("groups"), py::arg("levels"), py::arg("delta"), py::arg("path_labels"),
                py::arg("corrections"), py::arg("threads") = 1, py::arg("isa") = "");
  submodule.def("send", &ferret_send, py::arg("hash_seed"), py::arg("batch"),
                py::arg("first_group"), py::arg("groups"), py::arg("levels"), py::arg("code_seed"),
                py::arg("secrets"), py::arg("delta"), py::arg("path_labels"), py::arg("labels"),
                py::arg("threads") = 1, py::arg("isa") = "");
  submodule.def("receive", &ferret_receive, py::arg("hash_seed"), py::arg("batch"),
                py::arg("first_group"), py::arg("groups"), py::arg("levels"), py::arg("code_seed"),
                py::arg("secrets"), py::arg("path_labels"), py::arg("corrections"),
                py::arg("labels"), py::arg("threads") = 1, py::arg("isa") = "");
  submodule.def("derandomize_receiver", &derandomize_receiver, py::arg("labels"), py::arg("count"),
                py::arg("choice_bits"), py::arg("even"), py::arg("message"), py::arg("out_labels"),
                py::arg("isa") = "");
  submodule.def("derandomize_sender", &derandomize_sender, py::arg("labels"), py::arg("count"),
                py::arg("delta"), py::arg("message"), py::arg("out_labels"), py::arg("isa") = "");
}
