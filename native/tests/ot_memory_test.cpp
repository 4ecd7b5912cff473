// The memory that an OT extension has used holds no secret afterwards: neither what it frees nor
// its stack. Memory comes from operators of this file, which look at it when it is freed.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "ot/label_stream.h"
#include "ot/softspoken.h"
#include "symmetric/symmetric.h"

namespace {

int failures = 0;

void check(bool good, const char* what) {
  if (!good) {
    std::fprintf(stderr, "FAILED: %s\n", what);
    ++failures;
  }
}

constexpr std::size_t kHead = 64;  // before each block: its size; as much as a chunk is aligned to
constexpr std::size_t kLarge = 1024;  // smaller blocks hold pointers and counts alone
std::atomic<bool> watched{false};
std::atomic<int> freed{0};  // large blocks
std::atomic<int> dirty{0};  // of these, such as were not zeros

void* allocated(std::size_t size) {
  void* block = std::aligned_alloc(kHead, (size + 2 * kHead - 1) / kHead * kHead);
  if (block == nullptr) throw std::bad_alloc();
  std::memcpy(block, &size, sizeof size);
  return static_cast<char*>(block) + kHead;
}

void release(void* given) {
  if (given == nullptr) return;
  const char* begin = static_cast<char*>(given);
  std::size_t size;
  std::memcpy(&size, begin - kHead, sizeof size);
  if (watched && size >= kLarge) {
    ++freed;
    dirty += std::any_of(begin, begin + size, [](char byte) { return byte != 0; });
  }
  std::free(static_cast<char*>(given) - kHead);
}

}  // namespace

void* operator new(std::size_t size) { return allocated(size); }
void* operator new[](std::size_t size) { return allocated(size); }
void* operator new(std::size_t size, std::align_val_t) { return allocated(size); }
void* operator new[](std::size_t size, std::align_val_t) { return allocated(size); }
void operator delete(void* block) noexcept { release(block); }
void operator delete[](void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t) noexcept { release(block); }
void operator delete(void* block, std::align_val_t) noexcept { release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { release(block); }

namespace {

using Buffer = std::vector<std::uint8_t>;

// Test data, different for every `stream`.
Buffer bytes(std::uint8_t stream, std::size_t count) {
  const std::uint8_t seed[16] = {stream};
  Buffer out(count);
  pi::prg(pi::Isa::kPortable, seed, 0, out.data(), out.size());
  return out;
}

constexpr std::uint64_t kChunk = 5;
constexpr std::size_t kCount = 3 * pi::kChunkOts + 96;
constexpr std::size_t kTaken = 352;  // does not divide a chunk

// The extensions of one party, on leaves that suit the other one or not: their memory is the same.
struct Inputs {
  Buffer leaves = bytes(1, pi::kLeafBytes);
  Buffer delta = bytes(2, pi::kSeedBytes);
  Buffer choices = bytes(3, kCount / 8);
  Buffer message = bytes(4, pi::extension_bytes(kCount));
  Buffer labels = Buffer(pi::kSeedBytes * kCount);

  pi::SenderExtension sender() const {
    return {leaves.data(), delta.data(), kChunk, kCount, message.data()};
  }
  pi::ReceiverExtension receiver() {
    return {leaves.data(), kChunk, kCount, choices.data(), message.data()};
  }
};

// Frees the memory of `use` under the eyes of `release`: `blocks` large ones at least.
template <class Use>
void check_freed(int blocks, const char* what, const Use& use) {
  freed = dirty = 0;
  watched = true;
  use();
  watched = false;
  check(freed >= blocks, "the freed memory was seen");
  check(dirty == 0, what);
}

void test_freed(pi::Isa isa) {
  Inputs inputs;
  const auto stream = [&](const auto& extension, std::size_t until) {
    const pi::Extension keys(isa, extension);
    pi::LabelStream labels(keys, 0, kCount, kTaken);
    for (std::size_t at = 0; at < until; at += kTaken) {
      labels.take(std::min(kTaken, kCount - at));
    }
  };
  // Round keys, chunks and labels, and at the sender delta.
  for (const std::size_t until : {kTaken, kCount}) {
    check_freed(4, "a sender's stream is wiped", [&] { stream(inputs.sender(), until); });
    check_freed(3, "a receiver's stream is wiped", [&] { stream(inputs.receiver(), until); });
  }
  // The whole last chunk too.
  check_freed(4, "a sender's extension is wiped", [&] {
    pi::extend_sender(isa, inputs.leaves.data(), inputs.delta.data(), kChunk, kCount,
                      inputs.message.data(), inputs.labels.data(), 1);
  });
  check_freed(3, "a receiver's extension is wiped", [&] {
    pi::extend_receiver(isa, inputs.leaves.data(), kChunk, kCount, inputs.choices.data(),
                        inputs.message.data(), inputs.labels.data(), 1);
  });
}

struct OnStack {
  pi::Isa isa;
  Inputs* inputs;
};

void* extend_one_chunk(void* given) {
  const OnStack& use = *static_cast<OnStack*>(given);
  Inputs& inputs = *use.inputs;
  pi::extend_receiver(use.isa, inputs.leaves.data(), kChunk, pi::kChunkOts, inputs.choices.data(),
                      inputs.message.data(), inputs.labels.data(), 1);
  return nullptr;
}

// Runs a thread on memory of this test, and then looks for the generators' streams in it.
void test_stack(pi::Isa isa) {
  Inputs inputs;
  constexpr std::size_t kStackBytes = std::size_t{1} << 20;
  void* const stack = std::aligned_alloc(4096, kStackBytes);
  check(stack != nullptr, "memory for a stack");
  if (stack == nullptr) return;
  std::memset(stack, 0, kStackBytes);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack, kStackBytes);
  OnStack use{isa, &inputs};
  pthread_t thread;
  check(pthread_create(&thread, &attributes, extend_one_chunk, &use) == 0, "a thread");
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);

  std::set<std::string> secrets;
  for (std::size_t leaf = 0; leaf < pi::kTrees * pi::kLeaves; ++leaf) {
    Buffer stream(pi::kChunkOts / 8);
    pi::prg(pi::Isa::kPortable, &inputs.leaves[pi::kSeedBytes * leaf], kChunk * stream.size() / 16,
            stream.data(), stream.size());
    for (std::size_t at = 0; at < stream.size(); at += 16) {
      secrets.emplace(reinterpret_cast<const char*>(&stream[at]), 16);
    }
  }
  const char* const begin = static_cast<const char*>(stack);
  std::size_t found = 0;
  bool used = false;
  for (std::size_t at = 0; at < kStackBytes; at += 16) {
    const std::string block(begin + at, 16);
    used = used || block != std::string(16, '\0');
    found += secrets.count(block);
  }
  std::free(stack);
  check(used, "the thread ran on this stack");
  // A compiler may leave single blocks where it saves registers. Below one block per leaf of a tree
  // they make no sum of all leaves, which is what a message hides the choices with.
  check(found < pi::kLeaves, "the streams of the generators are wiped from the stack");
}

}  // namespace

int main() {
  for (const char* name : {"portable", "aesni", "vaes512"}) {
    try {
      const pi::Isa isa = pi::resolve_isa(name);
      test_freed(isa);
      test_stack(isa);
    } catch (const pi::UnsupportedCpu& error) {
      std::printf("skipped %s: %s\n", name, error.what());
    }
  }
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
