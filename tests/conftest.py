"""What every test may use; each plugin also says in the header where its server comes from."""

import signal

pytest_plugins = ["tests.fixtures_redis", "tests.fixtures_postgres"]

# A shell starts what runs in its background with Ctrl-C ignored, and that is inherited: programs under test
# would never hear it either.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
