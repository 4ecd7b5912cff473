// Holds an OT extension whose labels a kernel makes where it uses them, with the buffers that it
// needs. The kernels check the number of OTs. An object serves one call: two messages of the same
// OTs add up to the difference of the choices.
#pragma once
#include <utility>

#include "bindings/buffers.h"
#include "ot/label_stream.h"

namespace pi::python {

// Lets an extension through once, and not when its instance is closed: the leaves are zeros then,
// so everyone could compute the labels, and the receiver's message would be its choices.
class SingleUse {
 public:
  // Called with Python's lock held. The time depends on whether all leaves are zeros alone.
  void take(const ReadView<std::uint8_t>& leaves) {
    if (std::exchange(spent_, true)) {
      throw py::value_error("these OTs have served; extend again");
    }
    std::uint8_t any = 0;
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      any = static_cast<std::uint8_t>(any | leaves.data()[i]);
    }
    if (any == 0) throw py::value_error("the instance of these OTs was wiped; set up another one");
  }

 private:
  bool spent_ = false;
};

class SenderOts {
 public:
  SenderOts(const py::object& leaves, const py::object& delta, Integer<std::uint64_t> first_chunk,
            Integer<std::size_t> count, const py::object& message)
      : first_chunk_(first_chunk),
        count_(count),
        leaves_(leaves, "leaves", kLeafBytes),
        delta_(delta, "delta", kSeedBytes),
        message_(message, "message", extension_bytes(count)) {}

  std::size_t count() const { return count_; }

  SenderExtension take() {
    use_.take(leaves_);
    return {leaves_.data(), delta_.data(), first_chunk_, count_, message_.data()};
  }

 private:
  std::uint64_t first_chunk_;
  std::size_t count_;
  ReadView<std::uint8_t> leaves_;
  ReadView<std::uint8_t> delta_;
  ReadView<std::uint8_t> message_;
  SingleUse use_;
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

  std::size_t count() const { return count_; }

  ReceiverExtension take() {
    use_.take(leaves_);
    return {leaves_.data(), first_chunk_, count_, choice_bits_.data(), message_.data()};
  }

 private:
  std::uint64_t first_chunk_;
  std::size_t count_;
  ReadView<std::uint8_t> leaves_;
  ReadView<std::uint8_t> choice_bits_;
  WriteView<std::uint8_t> message_;
  SingleUse use_;
};

// Returns the OTs that `object` holds, of which there must be `count`. Null if it is another
// object, such as labels.
template <class Ots>
Ots* extension_of(const py::object& object, std::size_t count, const char* name) {
  if (!py::isinstance<Ots>(object)) return nullptr;
  Ots& ots = object.cast<Ots&>();
  if (ots.count() != count) {
    throw py::value_error(std::string(name) + ": need " + std::to_string(count) + " OTs, got " +
                          std::to_string(ots.count()));
  }
  return &ots;
}

}  // namespace pi::python
