#include <optional>

#include "bindings/buffers.h"
#include "bindings/modules.h"
#include "garble/gadget.h"
#include "symmetric/tweak.h"

namespace py = pybind11;
using pi::python::isa_of;
using pi::python::ReadView;
using pi::python::WriteView;
using Bytes = ReadView<std::uint8_t>;
using OutBytes = WriteView<std::uint8_t>;
using RingElements = ReadView<std::uint32_t>;
using OutRingElements = WriteView<std::uint32_t>;

namespace {

// A gadget with its sizes; made once, so that bad numbers are refused once.
struct Gadget {
  pi::GadgetSpec spec;
  pi::GadgetLayout layout;

  Gadget(const std::string& kind, int truncate_bits, int window_bits, bool exact,
         std::uint32_t offset, int label_chunk, int sign_drop)
      : spec{kind_of(kind), truncate_bits, window_bits, exact, offset, sign_drop, label_chunk},
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
};

// Where a slice stands: `elements` must fill whole groups whose numbers have 32 bits.
pi::GadgetCall call_of(const Gadget& gadget, std::uint32_t number, std::uint32_t first_group,
                       std::size_t elements, int threads, const std::string& isa) {
  if (elements % pi::kLanes != 0) {
    throw py::value_error("elements: need a multiple of " + std::to_string(pi::kLanes) + ", got " +
                          std::to_string(elements));
  }
  const std::size_t groups = elements / pi::kLanes;
  if (number >= 1u << 24 || groups > (std::size_t{1} << 32) - first_group) {
    throw py::value_error("gadget has 24 bits and groups have 32");
  }
  return {isa_of(isa), gadget.spec, number, first_group, groups, threads};
}

// An optional ring array that a ReLU must have and a truncation must not.
std::optional<RingElements> relu_words(const Gadget& gadget, const py::object& array,
                                       const char* name, std::size_t elements) {
  if (array.is_none() == gadget.relu()) {
    throw py::value_error(std::string(name) + ": a ReLU needs it, a truncation has none");
  }
  if (array.is_none()) return std::nullopt;
  return std::optional<RingElements>(std::in_place, array, name, elements);
}

const std::uint32_t* data_of(const std::optional<RingElements>& view) {
  return view ? view->data() : nullptr;
}

void garble(const Gadget& gadget, const py::object& delta, const py::object& hash_seed,
            const py::object& label_seed, std::uint32_t number, std::uint32_t first_group,
            const py::object& zero_labels, const py::object& select_bits, const py::object& alpha,
            const py::object& out_garbled, const py::object& out_state, int threads,
            const std::string& isa) {
  const Bytes delta_view(delta, "delta", pi::kBlockBytes);
  if ((delta_view.data()[0] & 1) == 0) throw py::value_error("delta: its lowest bit must be 1");
  const Bytes hash_view(hash_seed, "hash_seed", pi::kBlockBytes);
  const Bytes seed_view(label_seed, "label_seed", pi::kBlockBytes);
  const Bytes labels(zero_labels, "zero_labels");
  const std::size_t row = gadget.label_bytes(1);
  if (labels.size() % row != 0) {
    throw py::value_error("zero_labels: need a multiple of " + std::to_string(row) + " bytes");
  }
  const std::size_t elements = labels.size() / row;
  const pi::GadgetCall call = call_of(gadget, number, first_group, elements, threads, isa);
  const auto alpha_view = relu_words(gadget, alpha, "alpha", elements);
  if (select_bits.is_none() == gadget.relu()) {
    throw py::value_error("select_bits: a ReLU needs it, a truncation has none");
  }
  std::optional<Bytes> select;
  if (gadget.relu()) select.emplace(select_bits, "select_bits", elements);
  const OutBytes garbled(out_garbled, "out_garbled",
                         call.group_count * gadget.layout.garbled_group_bytes);
  const OutBytes state(out_state, "out_state", call.group_count * gadget.layout.state_group_bytes);
  const py::gil_scoped_release release;
  pi::garble(
      call, {delta_view.data(), hash_view.data(), seed_view.data(), labels.data(),
             select ? select->data() : nullptr, data_of(alpha_view), garbled.data(), state.data()});
}

void accept(const Gadget& gadget, const py::object& hash_seed, std::uint32_t number,
            std::uint32_t first_group, const py::object& v, const py::object& active_labels,
            const py::object& garbled, int threads, const std::string& isa) {
  const Bytes hash_view(hash_seed, "hash_seed", pi::kBlockBytes);
  const RingElements share(v, "v");
  const pi::GadgetCall call = call_of(gadget, number, first_group, share.size(), threads, isa);
  const Bytes labels(active_labels, "active_labels", gadget.label_bytes(share.size()));
  const OutBytes tables(garbled, "garbled", call.group_count * gadget.layout.garbled_group_bytes);
  const py::gil_scoped_release release;
  pi::accept(call, {hash_view.data(), share.data(), labels.data(), tables.data()});
}

void encode(const Gadget& gadget, const py::object& delta, const py::object& label_seed,
            std::uint32_t number, std::uint32_t first_group, const py::object& state,
            const py::object& u, const py::object& out_message, const py::object& out_mask,
            int threads, const std::string& isa) {
  const Bytes delta_view(delta, "delta", pi::kBlockBytes);
  const Bytes seed_view(label_seed, "label_seed", pi::kBlockBytes);
  const RingElements share(u, "u");
  const pi::GadgetCall call = call_of(gadget, number, first_group, share.size(), threads, isa);
  const Bytes pads(state, "state", call.group_count * gadget.layout.state_group_bytes);
  const OutBytes message(out_message, "out_message",
                         call.group_count * gadget.layout.online_group_bytes);
  const OutRingElements mask(out_mask, "out_mask", share.size());
  const py::gil_scoped_release release;
  pi::encode(call, {delta_view.data(), seed_view.data(), pads.data(), share.data(), message.data(),
                    mask.data()});
}

void evaluate(const Gadget& gadget, const py::object& hash_seed, std::uint32_t number,
              std::uint32_t first_group, const py::object& v, const py::object& beta,
              const py::object& active_labels, const py::object& garbled, const py::object& message,
              const py::object& next_mask, const py::object& out_z, int threads,
              const std::string& isa) {
  const Bytes hash_view(hash_seed, "hash_seed", pi::kBlockBytes);
  const RingElements share(v, "v");
  const pi::GadgetCall call = call_of(gadget, number, first_group, share.size(), threads, isa);
  const auto beta_view = relu_words(gadget, beta, "beta", share.size());
  const Bytes labels(active_labels, "active_labels", gadget.label_bytes(share.size()));
  const Bytes tables(garbled, "garbled", call.group_count * gadget.layout.garbled_group_bytes);
  const Bytes received(message, "message", call.group_count * gadget.layout.online_group_bytes);
  const RingElements mask(next_mask, "next_mask", share.size());
  const OutRingElements z(out_z, "out_z", share.size());
  const py::gil_scoped_release release;
  pi::evaluate(call, {hash_view.data(), share.data(), data_of(beta_view), labels.data(),
                      tables.data(), received.data(), mask.data(), z.data()});
}

void choice_bits(const Gadget& gadget, const py::object& v, const py::object& out) {
  const RingElements share(v, "v");
  const pi::GadgetCall call = call_of(gadget, 0, 0, share.size(), 1, "");
  const OutRingElements packed(
      out, "out", call.group_count * static_cast<std::size_t>(gadget.layout.label_ots));
  const py::gil_scoped_release release;
  pi::choice_bits(call, share.data(), packed.data());
}

void correlation(const Gadget& gadget, const py::object& v, const py::object& out) {
  const RingElements share(v, "v");
  const pi::GadgetCall call = call_of(gadget, 0, 0, share.size(), 1, "");
  const OutRingElements result(out, "out", share.size());
  if (!gadget.relu()) throw py::value_error("a truncation has no correlation");
  const py::gil_scoped_release release;
  pi::correlation(call, share.data(), result.data());
}

}  // namespace

void bind_garble(py::module_& module) {
  py::module_ submodule = module.def_submodule("garble");
  py::class_<Gadget>(submodule, "Gadget")
      .def(py::init<const std::string&, int, int, bool, std::uint32_t, int, int>())
      .def_property_readonly("label_ots", [](const Gadget& g) { return g.layout.label_ots; })
      .def_property_readonly("gate_count", [](const Gadget& g) { return g.layout.gate_count; })
      .def_property_readonly("garbled_group_bytes",
                             [](const Gadget& g) { return g.layout.garbled_group_bytes; })
      .def_property_readonly("state_group_bytes",
                             [](const Gadget& g) { return g.layout.state_group_bytes; })
      .def_property_readonly("online_group_bytes",
                             [](const Gadget& g) { return g.layout.online_group_bytes; });
  submodule.def("garble", &garble);
  submodule.def("accept", &accept);
  submodule.def("encode", &encode);
  submodule.def("evaluate", &evaluate);
  submodule.def("choice_bits", &choice_bits);
  submodule.def("correlation", &correlation);
}
