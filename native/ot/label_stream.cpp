#include "ot/label_stream.h"

#include "ot/chunk_run.h"

namespace pi {

Extension::Extension(Isa isa, const SenderExtension& sender)
    : keys_(std::make_unique<ExtensionKeys>(isa, sender)) {}
Extension::Extension(Isa isa, const ReceiverExtension& receiver)
    : keys_(std::make_unique<ExtensionKeys>(isa, receiver)) {}
Extension::~Extension() = default;

// The labels that are left lie in front of those of the next chunk.
struct LabelStream::State {
  State(const ExtensionKeys& keys, std::size_t begin, std::size_t end, std::size_t most)
      : run(keys, begin / kChunkOts, (end + kChunkOts - 1) / kChunkOts),
        room(kSeedBytes * (most + kChunkOts)),
        labels(std::make_unique_for_overwrite<std::uint8_t[]>(room)) {}
  ~State() { explicit_bzero(labels.get(), room); }

  ChunkRun run;
  std::size_t room;
  std::unique_ptr<std::uint8_t[]> labels;
  std::size_t taken = 0;   // labels at the front that were returned
  std::size_t filled = 0;  // labels with those
};

LabelStream::LabelStream(const Extension& extension, std::size_t begin, std::size_t end,
                         std::size_t most)
    : state_(std::make_unique<State>(*extension.keys_, begin, end, most)) {}
LabelStream::~LabelStream() = default;

const std::uint8_t* LabelStream::take(std::size_t count) {
  State& s = *state_;
  if (s.filled - s.taken < count) {
    std::uint8_t* front = s.labels.get();
    std::memmove(front, front + kSeedBytes * s.taken, kSeedBytes * (s.filled - s.taken));
    s.filled -= s.taken;
    s.taken = 0;
    while (s.filled < count) {
      const std::size_t ots = s.run.ots();
      s.run.write(front + kSeedBytes * s.filled);
      s.filled += ots;
    }
  }
  const std::uint8_t* labels = s.labels.get() + kSeedBytes * s.taken;
  s.taken += count;
  return labels;
}

}  // namespace pi
