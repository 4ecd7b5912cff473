#include <optional>

#include "bindings/buffers.h"
#include "bindings/modules.h"
#include "garble/gadget.h"
#include "symmetric/tweak.h"

namespace py = pybind11;
using pi::python::Integer;
using pi::python::isa_of;
using pi::python::ReadView;
using pi::python::Text;
using pi::python::WriteView;
using Bytes = ReadView<std::uint8_t>;
using OutBytes = WriteView<std::uint8_t>;
using RingElements = ReadView<std::uint32_t>;
using OutRingElements = WriteView<std::uint32_t>;

namespace {

// Holds a gadget with its sizes. The constructor refuses numbers that make no gadget.
struct Gadget {
  pi::GadgetSpec spec;
  pi::GadgetLayout layout;

  Gadget(const std::string& kind, int truncate_bits, int window_bits, bool exact,
         std::uint32_t offset, int label_chunk, int sign_drop, const std::string& garbling)
      : spec{kind_of(kind), truncate_bits, window_bits, exact,
             offset,        sign_drop,     label_chunk, garbling_of(garbling)},
        layout(layout_of(spec)) {}

  bool relu() const { return spec.kind == pi::GadgetKind::kRelu; }
  std::size_t label_bytes(std::size_t elements) const {
    return elements * static_cast<std::size_t>(layout.label_ots) * pi::kBlockBytes;
  }

 private:
  static pi::GadgetKind kind_of(const std::string& kind) {
    if (kind == "relu") return pi::GadgetKind::kRelu;
    if (kind == "truncate") return pi::GadgetKind::kTruncate;
    throw py::value_error("gadget kind: need \"relu\" or \"truncate\", got \"" + kind + "\"");
  }
  static pi::Garbling garbling_of(const std::string& name) {
    if (name == "half-gates") return pi::Garbling::kHalfGates;
    if (name == "three-halves") return pi::Garbling::kThreeHalves;
    throw py::value_error("garbling: need \"half-gates\" or \"three-halves\", got \"" + name +
                          "\"");
  }
};

// The keyword arguments that say which groups a step works on, and how.
struct Slice {
  std::uint32_t gadget;
  std::uint32_t first_group;
  int threads;
  const Text& isa;
};

// Checks that `elements` fill whole groups and that the numbers of these groups have 32 bits.
pi::GadgetCall call_of(const Gadget& spec, const Slice& slice, std::size_t elements) {
  if (elements % pi::kLanes != 0) {
    throw py::value_error("elements: need a multiple of " + std::to_string(pi::kLanes) + ", got " +
                          std::to_string(elements));
  }
  const std::size_t groups = elements / pi::kLanes;
  if (slice.gadget >= 1u << 24 || groups > (std::size_t{1} << 32) - slice.first_group) {
    throw py::value_error("a gadget's number has 24 bits, a group's number has 32");
  }
  return {isa_of(slice.isa), spec.spec, slice.gadget, slice.first_group, groups, slice.threads};
}

// Views an array that a ReLU must have and a truncation must not have.
template <class View>
std::optional<View> relu_view(const Gadget& spec, const py::object& array, const char* name,
                              std::size_t elements) {
  if (array.is_none() == spec.relu()) {
    throw py::value_error(std::string(name) + ": a ReLU needs it, a truncation has none");
  }
  if (array.is_none()) return std::nullopt;
  return std::optional<View>(std::in_place, array, name, elements);
}

template <class View>
auto data_of(const std::optional<View>& view) {
  return view ? view->data() : nullptr;
}

void garble(const Gadget& spec, Integer<std::uint32_t> gadget, Integer<std::uint32_t> first_group,
            const py::object& delta, const py::object& hash_seed, const py::object& label_seed,
            const py::object& zero_labels, const py::object& select_bits, const py::object& alpha,
            const py::object& out_garbled, const py::object& out_state, Integer<int> threads,
            const Text& isa) {
  const Bytes delta_view(delta, "delta", pi::kBlockBytes);
  if ((delta_view.data()[0] & 1) == 0) throw py::value_error("delta: its lowest bit must be 1");
  const Bytes hash_view(hash_seed, "hash_seed", pi::kBlockBytes);
  const Bytes seed_view(label_seed, "label_seed", pi::kBlockBytes);
  const Bytes labels(zero_labels, "zero_labels");
  const std::size_t row = spec.label_bytes(1);
  if (labels.size() % row != 0) {
    throw py::value_error("zero_labels: need a multiple of " + std::to_string(row) + " bytes");
  }
  const std::size_t elements = labels.size() / row;
  const pi::GadgetCall call = call_of(spec, {gadget, first_group, threads, isa}, elements);
  const auto select_view = relu_view<Bytes>(spec, select_bits, "select_bits", elements);
  const auto alpha_view = relu_view<RingElements>(spec, alpha, "alpha", elements);
  const OutBytes garbled(out_garbled, "out_garbled",
                         call.group_count * spec.layout.garbled_group_bytes);
  const OutBytes state(out_state, "out_state", call.group_count * spec.layout.state_group_bytes);
  const py::gil_scoped_release release;
  pi::garble(call, {delta_view.data(), hash_view.data(), seed_view.data(), labels.data(),
                    data_of(select_view), data_of(alpha_view), garbled.data(), state.data()});
}

void accept(const Gadget& spec, Integer<std::uint32_t> gadget, Integer<std::uint32_t> first_group,
            const py::object& hash_seed, const py::object& v, const py::object& active_labels,
            const py::object& garbled, Integer<int> threads, const Text& isa) {
  const Bytes hash_view(hash_seed, "hash_seed", pi::kBlockBytes);
  const RingElements share(v, "v");
  const pi::GadgetCall call = call_of(spec, {gadget, first_group, threads, isa}, share.size());
  const Bytes labels(active_labels, "active_labels", spec.label_bytes(share.size()));
  const OutBytes tables(garbled, "garbled", call.group_count * spec.layout.garbled_group_bytes);
  const py::gil_scoped_release release;
  pi::accept(call, {hash_view.data(), share.data(), labels.data(), tables.data()});
}

void encode(const Gadget& spec, Integer<std::uint32_t> gadget, Integer<std::uint32_t> first_group,
            const py::object& delta, const py::object& label_seed, const py::object& state,
            const py::object& u, const py::object& out_message, const py::object& out_mask,
            Integer<int> threads, const Text& isa) {
  const Bytes delta_view(delta, "delta", pi::kBlockBytes);
  const Bytes seed_view(label_seed, "label_seed", pi::kBlockBytes);
  const RingElements share(u, "u");
  const pi::GadgetCall call = call_of(spec, {gadget, first_group, threads, isa}, share.size());
  const Bytes pads(state, "state", call.group_count * spec.layout.state_group_bytes);
  const OutBytes message(out_message, "out_message",
                         call.group_count * spec.layout.online_group_bytes);
  const OutRingElements mask(out_mask, "out_mask", share.size());
  const py::gil_scoped_release release;
  pi::encode(call, {delta_view.data(), seed_view.data(), pads.data(), share.data(), message.data(),
                    mask.data()});
}

void evaluate(const Gadget& spec, Integer<std::uint32_t> gadget, Integer<std::uint32_t> first_group,
              const py::object& hash_seed, const py::object& v, const py::object& beta,
              const py::object& active_labels, const py::object& garbled, const py::object& message,
              const py::object& next_mask, const py::object& out_z, Integer<int> threads,
              const Text& isa) {
  const Bytes hash_view(hash_seed, "hash_seed", pi::kBlockBytes);
  const RingElements share(v, "v");
  const pi::GadgetCall call = call_of(spec, {gadget, first_group, threads, isa}, share.size());
  const auto beta_view = relu_view<RingElements>(spec, beta, "beta", share.size());
  const Bytes labels(active_labels, "active_labels", spec.label_bytes(share.size()));
  const Bytes tables(garbled, "garbled", call.group_count * spec.layout.garbled_group_bytes);
  const Bytes received(message, "message", call.group_count * spec.layout.online_group_bytes);
  const RingElements mask(next_mask, "next_mask", share.size());
  const OutRingElements z(out_z, "out_z", share.size());
  const py::gil_scoped_release release;
  pi::evaluate(call, {hash_view.data(), share.data(), data_of(beta_view), labels.data(),
                      tables.data(), received.data(), mask.data(), z.data()});
}

// `choice_bits` and `correlation` use no hash, so they need no number.
pi::GadgetCall unnumbered(const Gadget& spec, std::size_t elements) {
  if (elements % pi::kLanes != 0) {
    throw py::value_error("v: need a multiple of " + std::to_string(pi::kLanes) + " items");
  }
  return {pi::selected_isa(), spec.spec, 0, 0, elements / pi::kLanes, 1};
}

void choice_bits(const Gadget& spec, const py::object& v, const py::object& out) {
  const RingElements share(v, "v");
  const pi::GadgetCall call = unnumbered(spec, share.size());
  const OutRingElements packed(out, "out",
                               call.group_count * static_cast<std::size_t>(spec.layout.label_ots));
  const py::gil_scoped_release release;
  pi::choice_bits(call, share.data(), packed.data());
}

void correlation(const Gadget& spec, const py::object& v, const py::object& out) {
  const RingElements share(v, "v");
  const pi::GadgetCall call = unnumbered(spec, share.size());
  const OutRingElements result(out, "out", share.size());
  if (!spec.relu()) throw py::value_error("a truncation has no correlation");
  const py::gil_scoped_release release;
  pi::correlation(call, share.data(), result.data());
}

}  // namespace

void bind_garble(py::module_& module) {
  py::module_ submodule = module.def_submodule("garble");
  py::class_<Gadget>(submodule, "Gadget")
      .def(py::init<const std::string&, int, int, bool, std::uint32_t, int, int,
                    const std::string&>(),
           py::kw_only(), py::arg("kind"), py::arg("truncate_bits"), py::arg("window_bits"),
           py::arg("exact"), py::arg("offset"), py::arg("label_chunk"), py::arg("sign_drop"),
           py::arg("garbling"))
      .def_property_readonly("label_ots", [](const Gadget& g) { return g.layout.label_ots; })
      .def_property_readonly("gate_count", [](const Gadget& g) { return g.layout.gate_count; })
      .def_property_readonly("garbled_group_bytes",
                             [](const Gadget& g) { return g.layout.garbled_group_bytes; })
      .def_property_readonly("state_group_bytes",
                             [](const Gadget& g) { return g.layout.state_group_bytes; })
      .def_property_readonly("online_group_bytes",
                             [](const Gadget& g) { return g.layout.online_group_bytes; });
  submodule.def("garble", &garble, py::arg("spec"), py::kw_only(), py::arg("gadget"),
                py::arg("first_group"), py::arg("delta"), py::arg("hash_seed"),
                py::arg("label_seed"), py::arg("zero_labels"), py::arg("select_bits"),
                py::arg("alpha"), py::arg("out_garbled"), py::arg("out_state"), py::arg("threads"),
                py::arg("isa"));
  submodule.def("accept", &accept, py::arg("spec"), py::kw_only(), py::arg("gadget"),
                py::arg("first_group"), py::arg("hash_seed"), py::arg("v"),
                py::arg("active_labels"), py::arg("garbled"), py::arg("threads"), py::arg("isa"));
  submodule.def("encode", &encode, py::arg("spec"), py::kw_only(), py::arg("gadget"),
                py::arg("first_group"), py::arg("delta"), py::arg("label_seed"), py::arg("state"),
                py::arg("u"), py::arg("out_message"), py::arg("out_mask"), py::arg("threads"),
                py::arg("isa"));
  submodule.def("evaluate", &evaluate, py::arg("spec"), py::kw_only(), py::arg("gadget"),
                py::arg("first_group"), py::arg("hash_seed"), py::arg("v"), py::arg("beta"),
                py::arg("active_labels"), py::arg("garbled"), py::arg("message"),
                py::arg("next_mask"), py::arg("out_z"), py::arg("threads"), py::arg("isa"));
  submodule.def("choice_bits", &choice_bits, py::arg("spec"), py::arg("v"), py::arg("out"));
  submodule.def("correlation", &correlation, py::arg("spec"), py::arg("v"), py::arg("out"));
}
