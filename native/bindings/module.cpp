// The Python module: one submodule for each part of the native code, and no logic.
#include "base/version.h"
#include "bindings/modules.h"

PYBIND11_MODULE(_native, module) {
  module.doc() =
      "Native kernels of pi-bench. Only pi_bench.crypto, pi_bench.arithmetic and "
      "pi_bench.channel import this module.";
  module.attr("__version__") = pi::version();
  bind_symmetric(module);
  bind_checksum(module);
  bind_channel(module);
  bind_schedule(module);
  bind_ot(module);
  bind_ferret(module);
  bind_garble(module);
  bind_fss(module);
  bind_he(module);
  bind_linear(module);
  bind_plain(module);
}
