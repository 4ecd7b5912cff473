// The relation of correlated OT and its additive form, on every path, without Python.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "ot/additive.h"
#include "ot/gilboa.h"
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

using Buffer = std::vector<std::uint8_t>;

// Test data, different for every `stream`.
Buffer bytes(std::uint8_t stream, std::size_t count) {
  const std::uint8_t seed[16] = {stream};
  Buffer out(count);
  pi::prg(pi::Isa::kPortable, seed, 0, out.data(), out.size());
  return out;
}

int bit_of(const Buffer& packed, std::size_t i) { return packed[i / 8] >> (i % 8) & 1; }

struct Instance {
  Buffer delta = bytes(1, 16);
  Buffer full = Buffer(pi::kLeafBytes);
  Buffer punctured = Buffer(pi::kLeafBytes);
};

Instance set_up(pi::Isa isa) {
  Instance instance;
  const Buffer pairs = bytes(2, pi::kTreeMessageBytes);
  Buffer message(pi::kTreeMessageBytes);
  pi::grow_trees(isa, bytes(3, pi::kTrees * pi::kSeedBytes).data(), pairs.data(),
                 instance.full.data(), message.data());
  Buffer keys(pi::kCotBits * pi::kSeedBytes);
  for (std::size_t i = 0; i < pi::kCotBits; ++i) {
    const std::size_t row = 2 * i + (bit_of(instance.delta, i) == 0);
    std::memcpy(&keys[pi::kSeedBytes * i], &pairs[pi::kSeedBytes * row], pi::kSeedBytes);
  }
  pi::puncture_trees(isa, instance.delta.data(), keys.data(), message.data(),
                     instance.punctured.data());
  return instance;
}

// Takes all labels of a stream, in parts that do not divide a chunk.
Buffer taken(const pi::Extension& extension, std::size_t begin, std::size_t end) {
  constexpr std::size_t kMost = 352;
  pi::LabelStream stream(extension, begin, end, kMost);
  Buffer labels;
  for (std::size_t at = begin; at < end; at += kMost) {
    const std::size_t count = std::min(kMost, end - at);
    const std::uint8_t* part = stream.take(count);
    labels.insert(labels.end(), part, part + 16 * count);
  }
  return labels;
}

// Streams give the labels and the message of a whole extension.
void test_streams(pi::Isa isa) {
  const Instance instance = set_up(isa);
  const std::size_t count = 3 * pi::kChunkOts + 96;
  const Buffer choices = bytes(4, count / 8);
  Buffer message(pi::extension_bytes(count));
  Buffer active(16 * count);
  Buffer zero(16 * count);
  pi::extend_receiver(isa, instance.full.data(), 5, count, choices.data(), message.data(),
                      active.data(), 1);
  pi::extend_sender(isa, instance.punctured.data(), instance.delta.data(), 5, count, message.data(),
                    zero.data(), 1);
  Buffer streamed(message.size());
  const pi::Extension receiver(
      isa, pi::ReceiverExtension{instance.full.data(), 5, count, choices.data(), streamed.data()});
  const pi::Extension sender(
      isa, pi::SenderExtension{instance.punctured.data(), instance.delta.data(), 5, count,
                               message.data()});
  const std::size_t middle = 2 * pi::kChunkOts;
  for (const auto& [extension, labels] :
       {std::pair(&receiver, &active), std::pair(&sender, &zero)}) {
    Buffer parts = taken(*extension, 0, middle);
    const Buffer rest = taken(*extension, middle, count);
    parts.insert(parts.end(), rest.begin(), rest.end());
    check(parts == *labels, "the labels of streams are those of the extension");
  }
  check(streamed == message, "the message of streams is that of the extension");
}

void test_path(pi::Isa isa) {
  const Instance instance = set_up(isa);
  for (const std::size_t count : {std::size_t{32}, pi::kChunkOts, 9 * pi::kChunkOts + 96}) {
    const Buffer choices = bytes(4, count / 8);
    Buffer message(pi::extension_bytes(count));
    Buffer active(16 * count);
    Buffer zero(16 * count);
    pi::extend_receiver(isa, instance.full.data(), 5, count, choices.data(), message.data(),
                        active.data(), 2);
    pi::extend_sender(isa, instance.punctured.data(), instance.delta.data(), 5, count,
                      message.data(), zero.data(), 1);
    bool related = true;
    for (std::size_t i = 0; i < 16 * count; ++i) {
      const int offset = bit_of(choices, i / 16) * instance.delta[i % 16];
      related = related && active[i] == (zero[i] ^ offset);
    }
    check(related, "active = zero xor choice delta");

    const Buffer seed = bytes(5, 16);
    Buffer unpacked(count);
    std::vector<std::uint32_t> correlation(count);
    for (std::size_t i = 0; i < count; ++i) {
      unpacked[i] = static_cast<std::uint8_t>(bit_of(choices, i));
      correlation[i] = static_cast<std::uint32_t>(2654435761u * i);
    }
    std::vector<std::uint32_t> tau(count);
    std::vector<std::uint32_t> beta(count);
    std::vector<std::uint32_t> alpha(count);
    pi::additive_send(isa, instance.delta.data(), seed.data(), 6, 7, count / 32, zero.data(),
                      correlation.data(), tau.data(), beta.data(), 1);
    pi::additive_receive(isa, seed.data(), 6, 7, count / 32, active.data(), unpacked.data(),
                         tau.data(), alpha.data(), 2);
    bool shares = true;
    for (std::size_t i = 0; i < count; ++i) {
      shares = shares && alpha[i] + beta[i] == unpacked[i] * correlation[i];
    }
    check(shares, "alpha + beta = choice correlation");
  }
}

void test_products(pi::Isa isa) {
  const Buffer delta = bytes(1, 16);
  const Buffer seed = bytes(5, 16);
  for (const std::size_t bit_count :
       {std::size_t{1}, std::size_t{7}, std::size_t{31}, std::size_t{32}}) {
    const std::size_t groups = 37;
    const std::size_t count = 32 * groups;
    const Buffer zero = bytes(6, 16 * bit_count * count);
    Buffer active = zero;
    std::vector<std::uint32_t> a(count);
    std::vector<std::uint32_t> b(count);
    std::memcpy(a.data(), bytes(7, 4 * count).data(), 4 * count);
    std::memcpy(b.data(), bytes(8, 4 * count).data(), 4 * count);
    for (std::size_t i = 0; i < 16 * bit_count * count; ++i) {
      const std::size_t bit = i / (16 * count);
      if (a[i / 16 % count] >> bit & 1u) active[i] ^= delta[i % 16];
    }
    std::vector<std::uint32_t> corrections(groups * pi::correction_words(bit_count));
    std::vector<std::uint32_t> one(count);
    std::vector<std::uint32_t> other(count);
    pi::product_send(isa, delta.data(), seed.data(), 6, 7, groups, bit_count, zero.data(), b.data(),
                     corrections.data(), one.data(), 2);
    pi::product_receive(isa, seed.data(), 6, 7, groups, bit_count, active.data(), a.data(),
                        corrections.data(), other.data(), 1);
    bool shares = true;
    const std::uint32_t ring = bit_count == 32 ? 0xffffffffu : (1u << bit_count) - 1;
    for (std::size_t i = 0; i < count; ++i) {
      shares = shares && ((one[i] + other[i] - a[i] * b[i]) & ring) == 0;
    }
    check(shares, "shares of a product");
  }
}

}  // namespace

int main() {
  for (const char* name : {"portable", "aesni", "vaes512"}) {
    try {
      test_path(pi::resolve_isa(name));
      test_streams(pi::resolve_isa(name));
      test_products(pi::resolve_isa(name));
    } catch (const pi::UnsupportedCpu& error) {
      std::printf("skipped %s: %s\n", name, error.what());
    }
  }
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
