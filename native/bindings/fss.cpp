#include "bindings/buffers.h"
#include "bindings/extensions.h"
#include "bindings/modules.h"
#include "fss/steps.h"
#include "symmetric/tweak.h"

namespace py = pybind11;
using pi::fss::Call;
using pi::fss::Kind;
using pi::fss::Layout;
using pi::fss::Party;
using pi::fss::Spec;
using pi::python::extension_of;
using pi::python::Integer;
using pi::python::isa_of;
using pi::python::ReadView;
using pi::python::ReceiverOts;
using pi::python::SenderOts;
using pi::python::Text;
using pi::python::WriteView;
using Bytes = ReadView<std::uint8_t>;
using OutBytes = WriteView<std::uint8_t>;
using Words = ReadView<std::uint32_t>;
using OutWords = WriteView<std::uint32_t>;

namespace {

// Holds a gadget with its sizes. The constructor refuses numbers that make no gadget.
struct Gadget {
  Spec spec;
  Layout layout;

  Gadget(const std::string& kind, int truncate_bits, int window_bits, bool exact,
         std::uint32_t offset, int sign_drop)
      : spec{kind_of(kind), truncate_bits, window_bits, exact, offset, sign_drop},
        layout(layout_of(spec)) {}

  std::size_t bundle_group_bytes(Integer<int> level) const {
    if (level < 1 || level > layout.bundle_count) {
      throw py::value_error("level: need 1 to " + std::to_string(layout.bundle_count) + ", got " +
                            std::to_string(level));
    }
    return layout.bundle_group_bytes[level.value];
  }

 private:
  static Kind kind_of(const std::string& kind) {
    if (kind == "relu") return Kind::kRelu;
    if (kind == "truncate") return Kind::kTruncate;
    throw py::value_error("gadget kind: need \"relu\" or \"truncate\", got \"" + kind + "\"");
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
Call call_of(const Gadget& spec, const Slice& slice, std::size_t elements) {
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

// Returns the elements of a state of whole groups, which has no other measure of them.
std::size_t elements_of(std::size_t bytes, std::size_t group_bytes, const char* name) {
  if (bytes % group_bytes != 0) {
    throw py::value_error(std::string(name) + ": need a multiple of " +
                          std::to_string(group_bytes) + " bytes, got " + std::to_string(bytes));
  }
  return pi::kLanes * (bytes / group_bytes);
}

std::size_t ot_count(const Call& call, int ots) {
  return call.group_count * static_cast<std::size_t>(ots) * pi::kLanes;
}
std::size_t label_bytes(const Call& call, int ots) { return ot_count(call, ots) * pi::kBlockBytes; }
std::size_t planes(const Call& call, int count) {
  return call.group_count * static_cast<std::size_t>(count);
}

// Views a delta, and checks the lowest bit, without which the parties' control bits would agree.
Bytes delta_of(const py::object& delta, Party party) {
  Bytes view(delta, "delta", pi::kBlockBytes);
  const int needed = party == Party::kServer ? 1 : 0;
  if ((view.data()[0] & 1) != needed) {
    throw py::value_error("delta: its lowest bit must be " + std::to_string(needed) + " at the " +
                          (needed == 1 ? "server" : "client"));
  }
  return view;
}

Party party_of(const Text& name) {
  if (name.value == "server") return Party::kServer;
  if (name.value == "client") return Party::kClient;
  throw py::value_error("party: need \"server\" or \"client\"");
}

void request_choices(const Gadget& spec, const py::object& v, const py::object& bits,
                     const py::object& out) {
  const Words share(v, "v");
  if (share.size() % pi::kLanes != 0) {
    throw py::value_error("v: need a multiple of " + std::to_string(pi::kLanes) + " items");
  }
  const Call call{pi::selected_isa(), spec.spec, 0, 0, share.size() / pi::kLanes, 1};
  const Words drawn(bits, "bits", planes(call, spec.layout.client_bits));
  const OutWords packed(out, "out", planes(call, spec.layout.request_ots));
  const py::gil_scoped_release release;
  pi::fss::request_choices(call, share.data(), drawn.data(), packed.data());
}

void request(const Gadget& spec, Integer<std::uint32_t> gadget, Integer<std::uint32_t> first_group,
             const py::object& delta, const py::object& hash_seed, const py::object& v,
             const py::object& bits, const py::object& choice_labels,
             const py::object& request_labels, const py::object& out_corrections,
             const py::object& out_state, const py::object& out_scratch,
             const py::object& out_bundle, Integer<int> threads, const Text& isa) {
  const Layout& layout = spec.layout;
  const Bytes delta_view = delta_of(delta, Party::kClient);
  const Bytes hash_view(hash_seed, "hash_seed", pi::kBlockBytes);
  const Words share(v, "v");
  const Call call = call_of(spec, {gadget, first_group, threads, isa}, share.size());
  const std::size_t groups = call.group_count;
  const Words drawn(bits, "bits", planes(call, layout.client_bits));
  const OutBytes corrections(out_corrections, "out_corrections",
                             groups * layout.correction_group_bytes);
  const OutBytes state(out_state, "out_state", groups * layout.client_state_group_bytes);
  const OutBytes scratch(out_scratch, "out_scratch", groups * layout.scratch_group_bytes);
  const OutBytes bundle(out_bundle, "out_bundle", groups * layout.bundle_group_bytes[1]);
  pi::fss::RequestArguments arguments{
      delta_view.data(), hash_view.data(),   share.data(), drawn.data(),   nullptr,
      nullptr,           corrections.data(), state.data(), scratch.data(), bundle.data()};
  // Either both kinds of labels are there, or both are extended by the step.
  if (py::isinstance<SenderOts>(choice_labels) && py::isinstance<ReceiverOts>(request_labels)) {
    auto* chosen =
        extension_of<SenderOts>(choice_labels, ot_count(call, layout.choice_ots), "choice_labels");
    auto* asked = extension_of<ReceiverOts>(request_labels, ot_count(call, layout.request_ots),
                                            "request_labels");
    const pi::SenderExtension choices = chosen->take();
    const pi::ReceiverExtension labels = asked->take();
    const py::gil_scoped_release release;
    pi::fss::request(call, arguments, choices, labels);
    return;
  }
  const Bytes choices(choice_labels, "choice_labels", label_bytes(call, layout.choice_ots));
  const Bytes path(request_labels, "request_labels", label_bytes(call, layout.request_ots));
  arguments.choice_labels = choices.data();
  arguments.request_labels = path.data();
  const py::gil_scoped_release release;
  pi::fss::request(call, arguments);
}

void answer(const Gadget& spec, Integer<std::uint32_t> gadget, Integer<std::uint32_t> first_group,
            const py::object& delta, const py::object& hash_seed, const py::object& choices,
            const py::object& bits, const py::object& choice_labels,
            const py::object& request_labels, const py::object& corrections,
            const py::object& out_opening, const py::object& out_state,
            const py::object& out_scratch, const py::object& out_bundle, Integer<int> threads,
            const Text& isa) {
  const Layout& layout = spec.layout;
  const Bytes delta_view = delta_of(delta, Party::kServer);
  const Bytes hash_view(hash_seed, "hash_seed", pi::kBlockBytes);
  const Words chosen(choices, "choices");
  const auto width = static_cast<std::size_t>(layout.choice_ots);
  const std::size_t elements = elements_of(4 * chosen.size(), 4 * width, "choices");
  const Call call = call_of(spec, {gadget, first_group, threads, isa}, elements);
  const std::size_t groups = call.group_count;
  const Words drawn(bits, "bits", planes(call, layout.server_bits));
  const Bytes labels(choice_labels, "choice_labels", label_bytes(call, layout.choice_ots));
  const Bytes received(corrections, "corrections", groups * layout.correction_group_bytes);
  const OutBytes opening(out_opening, "out_opening", groups * layout.opening_group_bytes);
  const OutBytes state(out_state, "out_state", groups * layout.server_state_group_bytes);
  const OutBytes scratch(out_scratch, "out_scratch", groups * layout.scratch_group_bytes);
  const OutBytes bundle(out_bundle, "out_bundle", groups * layout.bundle_group_bytes[1]);
  pi::fss::AnswerArguments arguments{
      delta_view.data(), hash_view.data(), chosen.data(), drawn.data(),   labels.data(), nullptr,
      received.data(),   opening.data(),   state.data(),  scratch.data(), bundle.data()};
  if (auto* asked = extension_of<SenderOts>(request_labels, ot_count(call, layout.request_ots),
                                            "request_labels")) {
    const pi::SenderExtension zero = asked->take();
    const py::gil_scoped_release release;
    pi::fss::answer(call, arguments, zero);
    return;
  }
  const Bytes path(request_labels, "request_labels", label_bytes(call, layout.request_ots));
  arguments.request_labels = path.data();
  const py::gil_scoped_release release;
  pi::fss::answer(call, arguments);
}

void grow(const Gadget& spec, const Text& party, Integer<std::uint32_t> gadget,
          Integer<std::uint32_t> first_group, const py::object& delta, const py::object& hash_seed,
          Integer<int> level, const py::object& received, const py::object& state,
          const py::object& scratch, const py::object& out_bundle, Integer<int> threads,
          const Text& isa) {
  const Layout& layout = spec.layout;
  const Party who = party_of(party);
  const Bytes delta_view = delta_of(delta, who);
  const Bytes hash_view(hash_seed, "hash_seed", pi::kBlockBytes);
  const std::size_t bundle_bytes = spec.bundle_group_bytes(level);
  const OutBytes kept(state, "state");
  const std::size_t elements = elements_of(
      kept.size(),
      who == Party::kServer ? layout.server_state_group_bytes : layout.client_state_group_bytes,
      "state");
  const Call call = call_of(spec, {gadget, first_group, threads, isa}, elements);
  const Bytes bundle(received, "received", call.group_count * bundle_bytes);
  const OutBytes nodes(scratch, "scratch", call.group_count * layout.scratch_group_bytes);
  const std::size_t next_bytes =
      level < layout.bundle_count ? layout.bundle_group_bytes[level + 1] : 0;
  const OutBytes next(out_bundle, "out_bundle", call.group_count * next_bytes);
  const py::gil_scoped_release release;
  pi::fss::grow(call, {who, delta_view.data(), hash_view.data(), level, bundle.data(), kept.data(),
                       nodes.data(), next.data()});
}

void accept_opening(const Gadget& spec, const py::object& opening, const py::object& state,
                    Integer<int> threads) {
  const Layout& layout = spec.layout;
  const OutBytes kept(state, "state");
  const std::size_t elements = elements_of(kept.size(), layout.client_state_group_bytes, "state");
  const Call call{pi::selected_isa(), spec.spec, 0, 0, elements / pi::kLanes, threads};
  const Bytes received(opening, "opening", call.group_count * layout.opening_group_bytes);
  const py::gil_scoped_release release;
  pi::fss::accept_opening(call, {received.data(), kept.data()});
}

void encode(const Gadget& spec, Integer<std::uint32_t> gadget, Integer<std::uint32_t> first_group,
            const py::object& delta, const py::object& hash_seed, const py::object& state,
            const py::object& u, const py::object& out_message, const py::object& out_kept,
            Integer<int> threads, const Text& isa) {
  const Layout& layout = spec.layout;
  const Bytes delta_view = delta_of(delta, Party::kServer);
  const Bytes hash_view(hash_seed, "hash_seed", pi::kBlockBytes);
  const Words share(u, "u");
  const Call call = call_of(spec, {gadget, first_group, threads, isa}, share.size());
  const OutBytes stored(state, "state", call.group_count * layout.server_state_group_bytes);
  const OutBytes message(out_message, "out_message", call.group_count * layout.online_group_bytes);
  const OutBytes kept(out_kept, "out_kept", call.group_count * layout.kept_group_bytes);
  const py::gil_scoped_release release;
  pi::fss::encode(call, {delta_view.data(), hash_view.data(), stored.data(), share.data(),
                         message.data(), kept.data()});
}

void evaluate(const Gadget& spec, Integer<std::uint32_t> gadget, Integer<std::uint32_t> first_group,
              const py::object& delta, const py::object& hash_seed, const py::object& state,
              const py::object& message, const py::object& next_mask, const py::object& out_z,
              const py::object& out_answer, Integer<int> threads, const Text& isa) {
  const Layout& layout = spec.layout;
  const Bytes delta_view = delta_of(delta, Party::kClient);
  const Bytes hash_view(hash_seed, "hash_seed", pi::kBlockBytes);
  const Words mask(next_mask, "next_mask");
  const Call call = call_of(spec, {gadget, first_group, threads, isa}, mask.size());
  const OutBytes stored(state, "state", call.group_count * layout.client_state_group_bytes);
  const Bytes received(message, "message", call.group_count * layout.online_group_bytes);
  const OutWords z(out_z, "out_z", mask.size());
  const OutWords bits(out_answer, "out_answer", planes(call, layout.answer_words));
  const py::gil_scoped_release release;
  pi::fss::evaluate(call, {delta_view.data(), hash_view.data(), stored.data(), received.data(),
                           mask.data(), z.data(), bits.data()});
}

void finish(const Gadget& spec, const py::object& kept, const py::object& z,
            const py::object& answer, const py::object& out_share, Integer<int> threads) {
  const Layout& layout = spec.layout;
  const Words words(z, "z");
  if (words.size() % pi::kLanes != 0) {
    throw py::value_error("z: need a multiple of " + std::to_string(pi::kLanes) + " items");
  }
  const Call call{pi::selected_isa(), spec.spec, 0, 0, words.size() / pi::kLanes, threads};
  const Bytes versions(kept, "kept", call.group_count * layout.kept_group_bytes);
  const Words bits(answer, "answer", planes(call, layout.answer_words));
  const OutWords share(out_share, "out_share", words.size());
  const py::gil_scoped_release release;
  pi::fss::finish(call, {versions.data(), words.data(), bits.data(), share.data()});
}

// Makes a getter of one size.
template <class T>
auto size_of(T Layout::* member) {
  return [member](const Gadget& gadget) { return gadget.layout.*member; };
}

}  // namespace

void bind_fss(py::module_& module) {
  py::module_ submodule = module.def_submodule("fss");
  py::class_<Gadget>(submodule, "Gadget")
      .def(py::init<const std::string&, int, int, bool, std::uint32_t, int>(), py::kw_only(),
           py::arg("kind"), py::arg("truncate_bits"), py::arg("window_bits"), py::arg("exact"),
           py::arg("offset"), py::arg("sign_drop"))
      .def("bundle_group_bytes", &Gadget::bundle_group_bytes, py::arg("level"))
      .def_property_readonly("choice_ots", size_of(&Layout::choice_ots))
      .def_property_readonly("request_ots", size_of(&Layout::request_ots))
      .def_property_readonly("server_bits", size_of(&Layout::server_bits))
      .def_property_readonly("client_bits", size_of(&Layout::client_bits))
      .def_property_readonly("correction_group_bytes", size_of(&Layout::correction_group_bytes))
      .def_property_readonly("opening_group_bytes", size_of(&Layout::opening_group_bytes))
      .def_property_readonly("bundle_count", size_of(&Layout::bundle_count))
      .def_property_readonly("online_group_bytes", size_of(&Layout::online_group_bytes))
      .def_property_readonly("answer_words", size_of(&Layout::answer_words))
      .def_property_readonly("server_state_group_bytes", size_of(&Layout::server_state_group_bytes))
      .def_property_readonly("client_state_group_bytes", size_of(&Layout::client_state_group_bytes))
      .def_property_readonly("scratch_group_bytes", size_of(&Layout::scratch_group_bytes))
      .def_property_readonly("share_versions", size_of(&Layout::share_versions))
      .def_property_readonly("kept_group_bytes", size_of(&Layout::kept_group_bytes));
  submodule.def("request_choices", &request_choices, py::arg("spec"), py::arg("v"), py::arg("bits"),
                py::arg("out"));
  submodule.def("request", &request, py::arg("spec"), py::kw_only(), py::arg("gadget"),
                py::arg("first_group"), py::arg("delta"), py::arg("hash_seed"), py::arg("v"),
                py::arg("bits"), py::arg("choice_labels"), py::arg("request_labels"),
                py::arg("out_corrections"), py::arg("out_state"), py::arg("out_scratch"),
                py::arg("out_bundle"), py::arg("threads"), py::arg("isa"));
  submodule.def("answer", &answer, py::arg("spec"), py::kw_only(), py::arg("gadget"),
                py::arg("first_group"), py::arg("delta"), py::arg("hash_seed"), py::arg("choices"),
                py::arg("bits"), py::arg("choice_labels"), py::arg("request_labels"),
                py::arg("corrections"), py::arg("out_opening"), py::arg("out_state"),
                py::arg("out_scratch"), py::arg("out_bundle"), py::arg("threads"), py::arg("isa"));
  submodule.def("grow", &grow, py::arg("spec"), py::kw_only(), py::arg("party"), py::arg("gadget"),
                py::arg("first_group"), py::arg("delta"), py::arg("hash_seed"), py::arg("level"),
                py::arg("received"), py::arg("state"), py::arg("scratch"), py::arg("out_bundle"),
                py::arg("threads"), py::arg("isa"));
  submodule.def("accept_opening", &accept_opening, py::arg("spec"), py::kw_only(),
                py::arg("opening"), py::arg("state"), py::arg("threads"));
  submodule.def("encode", &encode, py::arg("spec"), py::kw_only(), py::arg("gadget"),
                py::arg("first_group"), py::arg("delta"), py::arg("hash_seed"), py::arg("state"),
                py::arg("u"), py::arg("out_message"), py::arg("out_kept"), py::arg("threads"),
                py::arg("isa"));
  submodule.def("evaluate", &evaluate, py::arg("spec"), py::kw_only(), py::arg("gadget"),
                py::arg("first_group"), py::arg("delta"), py::arg("hash_seed"), py::arg("state"),
                py::arg("message"), py::arg("next_mask"), py::arg("out_z"), py::arg("out_answer"),
                py::arg("threads"), py::arg("isa"));
  submodule.def("finish", &finish, py::arg("spec"), py::kw_only(), py::arg("kept"), py::arg("z"),
                py::arg("answer"), py::arg("out_share"), py::arg("threads"));
}
