# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``python -m fcis_ros``."""

import sys

from fcis_ros.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
