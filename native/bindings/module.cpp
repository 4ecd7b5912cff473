#include "base/version.h"
#include "bindings/modules.h"
// The Python module: one submodule a room, no logic.
// The Python module: one submodule a submodule, no logic.

PYBIND11_MODULE(_native, module) {
  module.doc() =
      "Native kernels of pi-bench. Only pi_bench.crypto and pi_bench.arithmetic import this "
      "module.";
  module.attr("__version__") = pi::version();
  bind_symmetric(module);
  bind_ot(module);
  bind_garble(module);
  bind_he(module);
  bind_linear(module);
}
