// Makes the labels of an OT extension a part at a time, where they are used, so that they stay in a
// cache. softspoken.h describes the extension; the labels and messages are the same.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "ot/softspoken.h"

namespace pi {

// Holds the arguments of `extend_sender`, but for the labels.
struct SenderExtension {
  const std::uint8_t* leaves;
  const std::uint8_t* delta;
  std::uint64_t first_chunk;
  std::size_t count;
  const std::uint8_t* message;
};

// Holds the arguments of `extend_receiver`, but for the labels.
struct ReceiverExtension {
  const std::uint8_t* leaves;
  std::uint64_t first_chunk;
  std::size_t count;
  const std::uint8_t* choice_bits;
  std::uint8_t* message;
};

class ExtensionKeys;
class LabelStream;

// Holds the keys of an extension, for streams on several threads. They are wiped at the end.
class Extension {
 public:
  Extension(Isa isa, const SenderExtension& sender);
  Extension(Isa isa, const ReceiverExtension& receiver);
  ~Extension();

 private:
  friend class LabelStream;
  std::unique_ptr<ExtensionKeys> keys_;
};

// Makes the labels of the OTs from `begin` to `end`, in order. `begin` is a multiple of kChunkOts,
// and `end` as well unless it is the last. The receiver's stream writes its part of the message
// meanwhile, which is complete when all labels are taken.
class LabelStream {
 public:
  // `most`: the most labels that are taken at a time.
  LabelStream(const Extension& extension, std::size_t begin, std::size_t end, std::size_t most);
  ~LabelStream();

  // Returns the next `count` labels, [count][16]. They are valid until the next call, and wiped
  // with the stream.
  const std::uint8_t* take(std::size_t count);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pi
