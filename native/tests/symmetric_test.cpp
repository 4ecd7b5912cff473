// AES known answer, hash sensitivity, the hash of three halves and path agreement without Python.
#include "symmetric/symmetric.h"

#include <algorithm>
#include <bitset>
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

// Returns r(label) of 32 labels: H' without its cipher, which the portable path computes.
std::vector<std::uint8_t> rotated(pi::Isa isa, const std::vector<std::uint8_t>& labels) {
  const std::uint8_t seed[16] = {3, 1, 4, 1, 5, 9, 2, 6};
  const pi::Tweak tweak{pi::Purpose::kAndOfB, 1, 2, 3, 0};
  std::uint8_t key[16];
  pi::tweaked_key(seed, tweak, key);
  std::vector<std::uint8_t> out(labels.size());
  std::vector<std::uint8_t> ciphers(labels.size());
  pi::hash_for_halves(isa, seed, tweak, labels.data(), out.data());
  pi::aes128_encrypt(pi::Isa::kPortable, key, labels.data(), pi::kLanes, ciphers.data());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= ciphers[i];
  return out;
}

// Holds the 65 bits of a hash that garbling uses: the upper half, and the lowest bit.
using UsedBits = std::bitset<65>;

UsedBits used_bits(const std::uint8_t* block) {
  std::uint64_t half;
  std::memcpy(&half, block + 8, sizeof half);
  return UsedBits(half) << 1 | UsedBits(block[0] & 1u);
}

std::size_t rank(std::vector<UsedBits> rows) {
  std::size_t found = 0;
  for (std::size_t bit = 0; bit < 65; ++bit) {
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(found);
    const auto pivot = std::find_if(begin, rows.end(), [&](const auto& row) { return row[bit]; });
    if (pivot == rows.end()) continue;
    std::iter_swap(begin, pivot);
    ++found;
    for (std::size_t i = found; i < rows.size(); ++i) {
      if (rows[i][bit]) rows[i] ^= rows[found - 1];
    }
  }
  return found;
}

// Garbler and evaluator would share a wrong rotation, so that every result would be right while
// delta could leak (docs/threat-model.md, section 6).
void test_hash_for_halves(pi::Isa isa) {
  // By the AES of another library: seed 0 to 15, labels of bytes 17 lane + 5 i.
  std::uint8_t seed[16];
  std::vector<std::uint8_t> labels(16 * pi::kLanes);
  for (std::size_t i = 0; i < 16; ++i) seed[i] = static_cast<std::uint8_t>(i);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<std::uint8_t>(17 * (i / 16) + 5 * (i % 16));
  }
  std::vector<std::uint8_t> out(labels.size());
  pi::hash_for_halves(isa, seed, {pi::Purpose::kAndOfA, 1, 2, 3, 0}, labels.data(), out.data());
  const std::uint8_t first[16] = {0x29, 0x09, 0xc4, 0x97, 0x47, 0x79, 0x63, 0x82,
                                  0xfd, 0x43, 0x4e, 0x40, 0x39, 0x44, 0x27, 0xd9};
  const std::uint8_t last[16] = {0xdf, 0xe2, 0x70, 0xdb, 0xcf, 0x6b, 0x4e, 0x6d,
                                 0xb0, 0x50, 0xa5, 0xe6, 0xb7, 0xcb, 0x23, 0x58};
  check(std::memcmp(out.data(), first, 16) == 0, "the hash of three halves, lane 0");
  check(std::memcmp(out.data() + out.size() - 16, last, 16) == 0,
        "the hash of three halves, lane 31");

  const std::vector<std::uint8_t> moved = rotated(isa, labels);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    check(moved[i] == labels[i / 16 * 16 + (i + 12) % 16], "a word is not moved up by one");
  }

  // Each row has the bits of the hash's own part of a bit of delta, then those that a table adds.
  for (const unsigned lower : {0u, 1u}) {
    for (const unsigned upper : {0u, 1u}) {
      std::vector<UsedBits> rows;
      for (std::size_t from = 0; from < 128; from += pi::kLanes) {
        std::vector<std::uint8_t> units(labels.size(), 0);
        for (std::size_t lane = 0; lane < pi::kLanes; ++lane) {
          units[16 * lane + (from + lane) / 8] = static_cast<std::uint8_t>(1u << lane % 8);
        }
        const std::vector<std::uint8_t> images = rotated(isa, units);
        for (std::size_t lane = 0; lane < pi::kLanes; ++lane) {
          UsedBits row = used_bits(images.data() + 16 * lane);
          const std::size_t bit = from + lane;
          if ((bit < 64 ? lower : upper) != 0) row.flip(1 + bit % 64);
          rows.push_back(row);
        }
      }
      check(rank(rows) == 65, "a bit of delta cancels in the hash of three halves");
      rows.erase(rows.begin());  // bit 0 of delta is public
      check(rank(rows) == (lower + upper == 2 ? 64u : 65u), "the rank without the public bit");
    }
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
  for (const pi::Isa isa : paths()) {
    test_path(isa);
    test_hash_for_halves(isa);
  }
  test_paths_agree();
  test_parallel_for();
  return failures == 0 ? 0 : 1;
}
