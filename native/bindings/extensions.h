// Holds an OT extension whose labels a kernel makes where it uses them, with the buffers that it
// needs. The kernels check the number of OTs. An object serves one call.
#pragma once
#include "bindings/buffers.h"
#include "ot/label_stream.h"

namespace pi::python {

class SenderOts {
 public:
  SenderOts(const py::object& leaves, const py::object& delta, Integer<std::uint64_t> first_chunk,
            Integer<std::size_t> count, const py::object& message)
      : first_chunk_(first_chunk),
        count_(count),
        leaves_(leaves, "leaves", kLeafBytes),
        delta_(delta, "delta", kSeedBytes),
        message_(message, "message", extension_bytes(count)) {}

  SenderExtension get() const {
    return {leaves_.data(), delta_.data(), first_chunk_, count_, message_.data()};
  }

 private:
  std::uint64_t first_chunk_;
  std::size_t count_;
  ReadView<std::uint8_t> leaves_;
  ReadView<std::uint8_t> delta_;
  ReadView<std::uint8_t> message_;
};

class ReceiverOts {
 public:
  ReceiverOts(const py::object& leaves, Integer<std::uint64_t> first_chunk,
              Integer<std::size_t> count, const py::object& choice_bits, const py::object& message)
      : first_chunk_(first_chunk),
        count_(count),
        leaves_(leaves, "leaves", kLeafBytes),
        choice_bits_(choice_bits, "choice_bits", count / 8),
        message_(message, "message", extension_bytes(count)) {}

  ReceiverExtension get() const {
    return {leaves_.data(), first_chunk_, count_, choice_bits_.data(), message_.data()};
  }

 private:
  std::uint64_t first_chunk_;
  std::size_t count_;
  ReadView<std::uint8_t> leaves_;
  ReadView<std::uint8_t> choice_bits_;
  WriteView<std::uint8_t> message_;
};

// Returns the extension that `object` holds, for `count` OTs. Null if it is another object, such as
// labels.
template <class Ots>
const Ots* extension_of(const py::object& object, std::size_t count, const char* name) {
  if (!py::isinstance<Ots>(object)) return nullptr;
  const Ots& ots = object.cast<const Ots&>();
  if (ots.get().count != count) {
    throw py::value_error(std::string(name) + ": need " + std::to_string(count) + " OTs, got " +
                          std::to_string(ots.get().count));
  }
  return &ots;
}

}  // namespace pi::python
