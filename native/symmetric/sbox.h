// Computes the S-box of AES by a circuit of XOR and AND. It has no table and no branch, so it runs
// in constant time.
//
// It inverts in GF((2^4)^2) with w^4 = w + 1 and z^2 = z + w^3, as in Satoh, Morioka, Takano and
// Munetoh (ASIACRYPT 2001); the change of basis takes the root of AES's polynomial to 2z.
#pragma once

namespace pi {

// An element of GF(2^4), bit by bit; a Word is a vector of independent bits.
template <class Word>
struct Nibble {
  Word bit[4];

  friend Nibble operator^(const Nibble& a, const Nibble& b) {
    return {{a.bit[0] ^ b.bit[0], a.bit[1] ^ b.bit[1], a.bit[2] ^ b.bit[2], a.bit[3] ^ b.bit[3]}};
  }
  friend Nibble operator*(const Nibble& x, const Nibble& y) {
    const Word* a = x.bit;
    const Word* b = y.bit;
    const Word p4 = (a[1] & b[3]) ^ (a[2] & b[2]) ^ (a[3] & b[1]);
    const Word p5 = (a[2] & b[3]) ^ (a[3] & b[2]);
    const Word p6 = a[3] & b[3];
    return {{(a[0] & b[0]) ^ p4, (a[0] & b[1]) ^ (a[1] & b[0]) ^ p4 ^ p5,
             (a[0] & b[2]) ^ (a[1] & b[1]) ^ (a[2] & b[0]) ^ p5 ^ p6,
             (a[0] & b[3]) ^ (a[1] & b[2]) ^ (a[2] & b[1]) ^ (a[3] & b[0]) ^ p6}};
  }
  Nibble square() const { return {{bit[0] ^ bit[2], bit[2], bit[1] ^ bit[3], bit[3]}}; }
  Nibble square_times_w3() const {
    return {{bit[2], bit[1] ^ bit[2] ^ bit[3], bit[1], bit[0] ^ bit[2] ^ bit[3]}};
  }
  // 0 becomes 0.
  Nibble inverse() const {
    const Word n01 = bit[0] & bit[1];
    const Word n02 = bit[0] & bit[2];
    const Word n03 = bit[0] & bit[3];
    const Word n12 = bit[1] & bit[2];
    const Word n13 = bit[1] & bit[3];
    const Word n123 = n12 & bit[3];
    const Word sum = bit[2] ^ bit[3];
    return {{bit[0] ^ bit[1] ^ sum ^ n02 ^ n12 ^ (n01 & bit[2]) ^ n123,
             n01 ^ n02 ^ n12 ^ bit[3] ^ n13 ^ (n01 & bit[3]),
             n01 ^ sum ^ n02 ^ n03 ^ (n02 & bit[3]),
             bit[1] ^ sum ^ n03 ^ n13 ^ (bit[2] & bit[3]) ^ n123}};
  }
};

// x[b]: bit b of every byte, replaced by that of its S-box value.
template <class Word>
void sub_bytes(Word (&x)[8]) {
  const Word x57 = x[5] ^ x[7];
  const Word x46 = x[4] ^ x[6];
  const Word x2357 = x57 ^ x[2] ^ x[3];
  const Nibble<Word> low = {{x57 ^ x[0], x[2], x2357 ^ x46, x[3] ^ x[4]}};
  const Nibble<Word> high = {{x46 ^ x[5], x46 ^ x[1] ^ x[7], x2357, x57}};

  const Nibble<Word> norm = high.square_times_w3() ^ high * low ^ low.square();
  const Nibble<Word> inverse = norm.inverse();
  const Nibble<Word> out_low = (high ^ low) * inverse;
  const Nibble<Word> out_high = high * inverse;

  // Back to the basis of AES together with its affine map.
  const Word* a = out_low.bit;
  const Word* b = out_high.bit;
  const Word a12 = a[1] ^ a[2];
  const Word b23 = b[2] ^ b[3];
  const Word a0b1 = a[0] ^ b[1];
  const Word a3_a0b1 = a[3] ^ a0b1;
  const Word a3b1 = a[3] ^ b[1];
  x[0] = ~(a[0] ^ a[2] ^ b[2]);
  x[1] = ~(a12 ^ a3_a0b1 ^ b[0]);
  x[2] = a3_a0b1 ^ b[2];
  x[3] = a0b1 ^ a[2];
  x[4] = a3_a0b1 ^ a[1] ^ b[0];
  x[5] = ~(a12 ^ a3b1 ^ b23);
  x[6] = ~(b[0] ^ b23);
  x[7] = a12;
}

}  // namespace pi
