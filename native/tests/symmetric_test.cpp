// AES known answer, hash sensitivity and path agreement without Python.
#include "symmetric/symmetric.h"

#include <cstdio>
#include <cstring>
#include <vector>

#include "base/parallel.h"

namespace {

int failures = 0;

void check(bool good, const char* what) {
  if (!good) {
    std::fprintf(stderr, "FAILED: %s\n", what);
    ++failures;
  }
}

// Every path that this processor can run.
std::vector<pi::Isa> paths() {
  std::vector<pi::Isa> out;
  for (const char* name : {"portable", "aesni", "vaes512"}) {
    try {
      out.push_back(pi::resolve_isa(name));
    } catch (const pi::UnsupportedCpu&) {
      std::printf("%s: not on this processor\n", name);
    }
  }
  return out;
}

void test_path(pi::Isa isa) {
  // FIPS 197, appendix C.1.
  std::uint8_t key[16];
  std::uint8_t plain[16];
  for (int i = 0; i < 16; ++i) {
    key[i] = static_cast<std::uint8_t>(i);
    plain[i] = static_cast<std::uint8_t>(0x11 * i);
  }
  const std::uint8_t expected[16] = {0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30,
                                     0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a};
  std::uint8_t out[16];
  pi::aes128_encrypt(isa, key, plain, 1, out);
  check(std::memcmp(out, expected, 16) == 0, "FIPS 197 C.1");

  // Each input bit of H changes the output: a sigma that loses a half fails here.
  const pi::Tweak tweak{pi::Purpose::kSign, 1, 2, 3, 0};
  std::vector<std::uint8_t> base(pi::kLanes * 16, 0x5c);
  std::vector<std::uint8_t> reference(base.size());
  pi::hash_labels(isa, key, tweak, 1, base.data(), nullptr, reference.data());
  for (int bit = 0; bit < 128; ++bit) {
    std::vector<std::uint8_t> label = base;
    label[static_cast<std::size_t>(bit / 8)] ^= static_cast<std::uint8_t>(1 << bit % 8);
    std::vector<std::uint8_t> hashed(base.size());
    pi::hash_labels(isa, key, tweak, 1, label.data(), nullptr, hashed.data());
    int changed = 0;
    for (int i = 0; i < 16; ++i) {
      changed += __builtin_popcount(static_cast<unsigned>(hashed[static_cast<std::size_t>(i)] ^
                                                          reference[static_cast<std::size_t>(i)]));
    }
    check(changed > 20, "an input bit of H is dead");
  }
}

void test_paths_agree() {
  const std::uint8_t seed[16] = {1, 2, 3};
  std::vector<std::uint8_t> a(1003);
  pi::prg(pi::Isa::kPortable, seed, 7, a.data(), a.size());
  for (const pi::Isa isa : paths()) {
    std::vector<std::uint8_t> b(1003);
    pi::prg(isa, seed, 7, b.data(), b.size());
    check(a == b, "the generator differs between paths");
  }
}

void test_parallel_for() {
  for (const int threads : {0, 1, 2, 5}) {
    std::vector<int> hits(1001, 0);
    pi::parallel_for(hits.size(), threads, 10, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) ++hits[i];
    });
    check(hits == std::vector<int>(1001, 1), "parallel_for does not cover the range once");
  }
  bool thrown = false;
  try {
    pi::parallel_for(2, 2, 1, [](std::size_t, std::size_t) { throw pi::UnsupportedCpu("x"); });
  } catch (const pi::UnsupportedCpu&) {
    thrown = true;
  }
  check(thrown, "parallel_for swallows an exception");
}

}  // namespace

int main() {
  for (const pi::Isa isa : paths()) test_path(isa);
  test_paths_agree();
  test_parallel_for();
  return failures == 0 ? 0 : 1;
}
