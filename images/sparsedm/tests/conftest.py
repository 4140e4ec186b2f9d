"""One thread everywhere: sums depend on the number of threads, and a resumed run is compared bit for bit."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, and for the processes that tests start
