#!/usr/bin/env python3
"""Causeway's command line: `python run.py --help`."""

import os
import sys

if __name__ == "__main__":
    try:
        from cli.app import app  # inside: the imports take long enough for a Ctrl-C

        app()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.stderr.flush()
        os._exit(130)  # no clean-up to wait for: a second Ctrl-C must not bring a traceback either
