# The types of the compiled module, one stub per submodule. tests/unit/test_native_stubs.py compares the
# parameters with the bindings. Only pi_bench.crypto, pi_bench.arithmetic and pi_bench.channel import the
# module.
from . import channel as channel
from . import checksum as checksum
from . import ferret as ferret
from . import fss as fss
from . import garble as garble
from . import he as he
from . import linear as linear
from . import ot as ot
from . import plain as plain
from . import schedule as schedule
from . import symmetric as symmetric

__version__: str  # of the project when the module was compiled
