#include "ot/softspoken.h"

#include "base/parallel.h"
#include "ot/chunk_run.h"

namespace pi {
namespace {

constexpr std::size_t kChunksPerThread = 4;  // below that, a thread costs more than it saves

// Writes the last chunk of a part, which may be shorter than the others.
void write_last(ChunkRun& run, std::uint8_t* labels) {
  const std::size_t ots = run.ots();
  if (ots == kChunkOts) return run.write(labels);
  std::vector<std::uint8_t> whole(kSeedBytes * kChunkOts);
  run.write(whole.data());
  std::memcpy(labels, whole.data(), kSeedBytes * ots);
  explicit_bzero(whole.data(), whole.size());
}

void extend(const ExtensionKeys& keys, std::uint8_t* labels, int threads) {
  parallel_for(keys.chunk_count(), threads, kChunksPerThread,
               [&](std::size_t begin, std::size_t end) {
                 if (begin == end) return;
                 ChunkRun run(keys, begin, end);
                 for (std::size_t chunk = begin; chunk + 1 < end; ++chunk) {
                   run.write(labels + kSeedBytes * kChunkOts * chunk);
                 }
                 write_last(run, labels + kSeedBytes * kChunkOts * (end - 1));
               });
}

}  // namespace

void extend_receiver(Isa isa, const std::uint8_t* leaves, std::uint64_t first_chunk,
                     std::size_t count, const std::uint8_t* choice_bits, std::uint8_t* message,
                     std::uint8_t* labels, int threads) {
  const ReceiverExtension receiver{leaves, first_chunk, count, choice_bits, message};
  extend(ExtensionKeys(isa, receiver), labels, threads);
}

void extend_sender(Isa isa, const std::uint8_t* leaves, const std::uint8_t* delta,
                   std::uint64_t first_chunk, std::size_t count, const std::uint8_t* message,
                   std::uint8_t* zero_labels, int threads) {
  const SenderExtension sender{leaves, delta, first_chunk, count, message};
  extend(ExtensionKeys(isa, sender), zero_labels, threads);
}

}  // namespace pi
