"""Lint a template for every region that cfn-lint knows: `python tools/lint_regions.py template.yaml`.

In groups of a few regions: in one call for all of them cfn-lint does not come to an end within ten minutes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cfnlint.helpers import REGIONS

GROUP = 12


def main(template: str) -> int:
    """Exit code 0 if no group has a finding; what cfn-lint finds goes to standard output."""
    for first in range(0, len(REGIONS), GROUP):
        group = REGIONS[first : first + GROUP]
        print(f"Linting for {group[0]} to {group[-1]}", file=sys.stderr)
        command = [str(Path(sys.executable).with_name("cfn-lint")), "--regions", *group, "--template", template]
        if subprocess.run(command, check=False).returncode:
            return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/lint_regions.py TEMPLATE")
    sys.exit(main(sys.argv[1]))
