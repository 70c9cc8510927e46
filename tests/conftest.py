"""What every test may use; each plugin also says in the header where its server comes from."""

pytest_plugins = ["tests.fixtures_redis", "tests.fixtures_postgres"]
