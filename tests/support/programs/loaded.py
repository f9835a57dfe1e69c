"""Import the module that the first argument names, and print the name of each module that is loaded then."""

from __future__ import annotations

import importlib
import sys

importlib.import_module(sys.argv[1])
sys.stdout.write("\n".join(sys.modules))
