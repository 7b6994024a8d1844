"""The operator's command and console of a deployed stack: `python -m ops --stack NAME …`.

It works with the adapters of the layer, so what an operator sees and does is read and written as the functions do it.
"""

from __future__ import annotations

import sys
from pathlib import Path

_LAYER = Path(__file__).resolve().parent.parent / "layers" / "common"
if str(_LAYER) not in sys.path:
    sys.path.insert(0, str(_LAYER))
