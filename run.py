#!/usr/bin/env python3
"""Causeway's command line: `python run.py --help`."""

from cli.app import app

if __name__ == "__main__":
    app()
