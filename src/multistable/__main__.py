"""`python -m multistable` is the command `multistable`."""

import sys

from multistable.cli import main

sys.exit(main())
