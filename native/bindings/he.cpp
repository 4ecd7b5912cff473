// Binds the sizes of the encryption, and collects the steps of both parties.
#include "bindings/modules.h"
#include "he/ciphertext.h"
#include "he/copies.h"
#include "he/join.h"
#include "he/response.h"
#include "he/transform.h"

namespace py = pybind11;
namespace he = pi::he;

void bind_he(py::module_& module) {
  py::module_ submodule = module.def_submodule("he");
  submodule.attr("DEGREE") = he::kDegree;
  submodule.attr("PRIMES") = py::make_tuple(he::kPrimes[0], he::kPrimes[1], he::kPrimes[2]);
  submodule.attr("PLAIN_BITS") = he::kPlainBits;
  submodule.attr("FLOOD_BITS") = he::kFloodBits;
  submodule.attr("BINOMIAL_BITS") = he::kBinomialBits;
  submodule.attr("SEED_BYTES") = he::kSeedBytes;
  submodule.attr("CIPHERTEXT_BYTES") = he::kCiphertextBytes;
  submodule.attr("PACKED_POLY_BYTES") = he::kPackedPolyBytes;
  submodule.attr("LOADED_WORDS") = he::kLoadedWords;
  submodule.attr("MAX_PRODUCTS") = he::kMaxProducts;
  submodule.attr("MIN_RUN") = he::kMinRun;
  submodule.attr("MAX_JOIN_LEVELS") = he::kMaxJoinLevels;
  submodule.attr("JOIN_KEY_BYTES") = he::kJoinKeyBytes;
  submodule.attr("LOADED_JOIN_KEY_WORDS") = he::kLoadedJoinKeyWords;
  submodule.attr("COPY_PRIME") = he::kCopyPrime;
  submodule.attr("COPY_ORDER") = he::kCopyOrder;
  submodule.attr("COPY_KEYS") = he::kCopyKeys;
  submodule.attr("COPY_KEY_BYTES") = he::kCopyKeyBytes;
  submodule.attr("LOADED_COPY_KEY_WORDS") = he::kLoadedCopyKeyWords;
  bind_he_client(submodule);
  bind_he_server(submodule);
  bind_he_parts(submodule);
}
