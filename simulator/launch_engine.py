"""Runs a Python module whose WhatsApp library talks to the simulator. In development ENGINE_COMMAND names this.

The module runs as `__main__`. Standard input and output stay untouched, because an engine speaks its protocol
there:

    python -m simulator.launch_engine --simulator DIR/simulator.json -- PYTHON_MODULE [ARGUMENT…]

--library names the module that imports neonize: Herald's engine leaves out half of what neonize imports.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

from simulator.redirect import Endpoint, import_trusting, restart_with


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulator.launch_engine", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--simulator", type=Path, required=True, metavar="FILE", help="the simulator's simulator.json"
    )
    parser.add_argument("--library", default="neonize", metavar="MODULE", help="imports neonize")
    parser.add_argument("module", help="the module to run, after --")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    options = parser.parse_args()
    endpoint = Endpoint.read(options.simulator)
    restart_with(endpoint.environment())
    import_trusting(endpoint.root_public_key, options.library)
    sys.argv = [options.module, *options.arguments]
    runpy.run_module(options.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
