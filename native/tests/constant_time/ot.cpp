// Runs the OT extension and the products made of it with all secrets marked as undefined memory:
// delta, roots and leaves of trees, base keys, choices, labels, correlations and factors. Under
// valgrind's memcheck, each branch and each index that depends on a secret is then an error.
// Messages are marked as defined again.
#include <algorithm>

#include "ot/additive.h"
#include "ot/ferret.h"
#include "ot/gilboa.h"
#include "ot/label_stream.h"
#include "ot/softspoken.h"
#include "secret.h"

namespace {

using pi::constant_time::Bytes;
using pi::constant_time::publish;
using pi::constant_time::secret;
using pi::constant_time::Words;

constexpr std::size_t kGroups = 3;
constexpr std::size_t kCount = kGroups * 32;
const Bytes kHashSeed(16, 0x5a);

// In parts that do not divide a chunk, so that labels move within the stream.
void take_all(const pi::Extension& extension, std::size_t count) {
  constexpr std::size_t kMost = 352;
  pi::LabelStream stream(extension, 0, count, kMost);
  for (std::size_t at = 0; at < count; at += kMost) stream.take(std::min(kMost, count - at));
}

void extend(pi::Isa isa, const Bytes& delta) {
  const Bytes roots = secret<std::uint8_t>(pi::kTrees * pi::kSeedBytes);
  const Bytes pairs = secret<std::uint8_t>(pi::kTreeMessageBytes);
  const Bytes keys = secret<std::uint8_t>(pi::kCotBits * pi::kSeedBytes);
  Bytes trees(pi::kTreeMessageBytes);
  Bytes full(pi::kLeafBytes);
  Bytes punctured(pi::kLeafBytes);
  pi::grow_trees(isa, roots.data(), pairs.data(), full.data(), trees.data());
  publish(trees);
  pi::puncture_trees(isa, delta.data(), keys.data(), trees.data(), punctured.data());
  // A short call, a whole chunk, and several chunks of which the last is short.
  for (const std::size_t count : {kCount, pi::kChunkOts, 2 * pi::kChunkOts + 96}) {
    const Bytes choices = secret<std::uint8_t>(count / 8);
    Bytes message(pi::extension_bytes(count));
    Bytes active(16 * count);
    Bytes zero(16 * count);
    pi::extend_receiver(isa, full.data(), 5, count, choices.data(), message.data(), active.data(),
                        1);
    publish(message);
    pi::extend_sender(isa, punctured.data(), delta.data(), 5, count, message.data(), zero.data(),
                      1);
    const pi::SenderExtension sender{punctured.data(), delta.data(), 5, count, message.data()};
    take_all(pi::Extension(isa, sender), count);
    const pi::ReceiverExtension receiver{full.data(), 5, count, choices.data(), message.data()};
    take_all(pi::Extension(isa, receiver), count);
  }
}

void share_choices(pi::Isa isa, const Bytes& delta) {
  const Bytes zero = secret<std::uint8_t>(16 * kCount);
  const Bytes active = secret<std::uint8_t>(16 * kCount);
  const Words correlation = secret<std::uint32_t>(kCount);
  Bytes choices = secret<std::uint8_t>(kCount);
  for (std::uint8_t& bit : choices) bit = static_cast<std::uint8_t>(bit & 1);
  Words tau(kCount);
  Words share(kCount);
  pi::additive_send(isa, delta.data(), kHashSeed.data(), 6, 7, kGroups, zero.data(),
                    correlation.data(), tau.data(), share.data(), 1);
  publish(tau);
  pi::additive_receive(isa, kHashSeed.data(), 6, 7, kGroups, active.data(), choices.data(),
                       tau.data(), share.data(), 1);
}

void share_products(pi::Isa isa, const Bytes& delta, std::size_t bit_count) {
  const Bytes zero = secret<std::uint8_t>(16 * bit_count * kCount);
  const Bytes active = secret<std::uint8_t>(zero.size());
  const Words a = secret<std::uint32_t>(kCount);
  const Words b = secret<std::uint32_t>(kCount);
  Words corrections(kGroups * pi::correction_words(bit_count));
  Words share(kCount);
  pi::product_send(isa, delta.data(), kHashSeed.data(), 6, 7, kGroups, bit_count, zero.data(),
                   b.data(), corrections.data(), share.data(), 1);
  publish(corrections);
  pi::product_receive(isa, kHashSeed.data(), 6, 7, kGroups, bit_count, active.data(), a.data(),
                      corrections.data(), share.data(), 1);
}

// Ferret: paths, choices and labels are secret; the indices of the code are public.
void make_silent(pi::Isa isa, const Bytes& delta) {
  constexpr int kLevels = 5;
  constexpr std::size_t kTreeGroups = 2;
  const std::size_t paths = kTreeGroups * 16 * pi::kFerretTrees * kLevels;
  const std::size_t count = kTreeGroups * pi::ferret_group_ots(kLevels);
  const pi::FerretTrees trees{kHashSeed.data(), 3, 0, kTreeGroups, kLevels};
  const Bytes secrets = secret<std::uint8_t>(16 * 50);
  const pi::FerretCode code{kHashSeed.data(), secrets.data(), 50};
  const Bytes sent = secret<std::uint8_t>(paths);
  const Bytes received = secret<std::uint8_t>(paths);
  Bytes corrections(kTreeGroups * pi::ferret_group_corrections(kLevels));
  Bytes labels(16 * count);
  pi::ferret_correct(isa, trees, delta.data(), sent.data(), corrections.data(), 1);
  publish(corrections);
  pi::ferret_send(isa, trees, code, delta.data(), sent.data(), labels.data(), 1);
  Bytes random(16 * count);
  pi::ferret_receive(isa, trees, code, received.data(), corrections.data(), random.data(), 1);
  for (const bool even : {true, false}) {
    const Bytes choices = secret<std::uint8_t>(count / 8);
    Bytes message(count / 8);
    Bytes active(16 * count);
    Bytes zero(16 * count);
    pi::derandomize_receiver(isa, random.data(), count, choices.data(), even, message.data(),
                             active.data());
    publish(message);
    pi::derandomize_sender(isa, labels.data(), count, delta.data(), message.data(), zero.data());
  }
}

}  // namespace

int main() {
  return pi::constant_time::on_each_isa([](pi::Isa isa) {
    const Bytes delta = secret<std::uint8_t>(16, 0xff, 1);
    extend(isa, delta);
    share_choices(isa, delta);
    make_silent(isa, delta);
    for (const std::size_t bit_count : {std::size_t{7}, std::size_t{32}}) {
      share_products(isa, delta, bit_count);
    }
  });
}
