// Path agreement of the checksum without Python; its value against a model is a test of the
// bindings.
#include "checksum/checksum.h"

#include <cstdio>
#include <cstring>
#include <vector>

namespace {

std::vector<std::uint8_t> digest(pi::Isa isa, const std::vector<std::uint8_t>& data) {
  const std::uint8_t seed[pi::Checksum::kSeedBytes] = {1, 2, 3};
  pi::Checksum sum(isa, seed);
  for (const std::size_t cut : {data.size(), data.size() / 3}) {
    sum.update(data.data(), cut);
    sum.update(data.data() + cut, data.size() - cut);
    sum.end_item();
  }
  std::vector<std::uint8_t> out(pi::Checksum::kWordBytes);
  sum.digest(out.data());
  return out;
}

}  // namespace

int main() {
  int failures = 0;
  for (const std::size_t size : {0u, 1u, 16u, 63u, 1000u, 8192u, 30001u}) {
    std::vector<std::uint8_t> data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::uint8_t>(i * i >> 3);
    const auto expected = digest(pi::Isa::kPortable, data);
    for (const char* name : {"aesni", "vaes512"}) {
      try {
        if (digest(pi::resolve_isa(name), data) != expected) {
          std::fprintf(stderr, "FAILED: %s differs from portable at %zu bytes\n", name, size);
          ++failures;
        }
      } catch (const pi::UnsupportedCpu&) {
        std::printf("%s: not on this processor\n", name);
      }
    }
    if (size != 0) {
      data[size - 1] ^= 0x80;
      if (digest(pi::Isa::kPortable, data) == expected) {
        std::fprintf(stderr, "FAILED: a changed bit is missed at %zu bytes\n", size);
        ++failures;
      }
    }
  }
  return failures == 0 ? 0 : 1;
}
