"""``python -m minidepth`` is the command ``minidepth``."""

import sys

from minidepth.cli import main

if __name__ == "__main__":
    sys.exit(main())
