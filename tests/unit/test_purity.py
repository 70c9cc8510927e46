"""The purity lint finds nothing in the code, and does find what is planted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import lint_purity
from tests.lint_purity import check, check_tree


def test_the_core_reads_no_clock_no_chance_no_environment() -> None:
    assert [str(fault) for fault in check_tree()] == []


PLANTED = [
    "from datetime import datetime\nx = datetime.now()",
    "import datetime as dt\nx = dt.datetime.utcnow()",
    "from datetime import datetime as when\nx = when.today()",
    "from datetime import date\nx = date.today()",
    "import time\nx = time.time()",
    "import time as t\nx = t.monotonic_ns()",
    "from time import perf_counter\nx = perf_counter()",
    "from time import time as now\nx = [now]",
    "import time\ntime.sleep(1)",
    "import random\nx = random.random()",
    "from random import choice\nx = choice([1])",
    "import random\nx = random.Random(1)",
    "import numpy as np\nx = np.random.default_rng()",
    "from numpy.random import default_rng\nx = default_rng()",
    "import uuid\nx = uuid.uuid4()",
    "from uuid import uuid1\nx = uuid1",
    "import os\nx = os.environ['A']",
    "import os.path\nx = os.getenv('A')",
    "from os import environ\nx = environ",
    "import os\nx = os.urandom(3)",
    "import secrets\nx = secrets.token_hex(3)",
    "from secrets import token_hex\nx = token_hex(3)",
    "def f():\n    import time\n    return {'a': lambda: time.time_ns()}",
]


@pytest.mark.parametrize("source", PLANTED)
def test_a_planted_use_is_caught(source: str) -> None:
    faults = check(source, "core.py")
    assert len(faults) == 1
    assert faults[0].line == len(source.splitlines())


@pytest.mark.parametrize("source", PLANTED)
def test_a_marker_with_a_reason_allows_it(source: str) -> None:
    assert check(source + "  # edge: measures itself", "core.py") == []


@pytest.mark.parametrize("marker", ["# edge", "# edge:", "# edge:  "])
def test_a_marker_needs_a_reason(marker: str) -> None:
    faults = check(f"import time\nx = time.time()  {marker}", "core.py")
    assert [fault.text for fault in faults] == ["`# edge` without a reason"]


def test_a_marker_allows_its_own_line_only() -> None:
    source = "import time\nx = time.time()  # edge: a reason\ny = time.time()\n# edge: nothing here"
    assert [fault.line for fault in check(source, "core.py")] == [3, 4]


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime, UTC\nx = datetime.fromtimestamp(3, UTC)",
        "def f(time, random):\n    return time.time() + random.choice()",
        "import uuid\nx = uuid.uuid5",
        "import os\nx = os.path.join('a', 'b')",
        "x = '# edge: in a text'",
        "class A:\n    def time(self):\n        return self.time",
        "import time\nx = time.struct_time",
    ],
)
def test_what_only_looks_alike_is_left_alone(source: str) -> None:
    assert check(source, "core.py") == []


@pytest.mark.parametrize("source", ["from time import *", "from random import *"])
def test_star_imports_hide_what_they_take(source: str) -> None:
    assert len(check(source, "core.py")) == 1


def test_a_module_that_does_not_parse_is_a_fault() -> None:
    assert "does not parse" in str(check("def", "core.py")[0])


def test_the_command_prints_file_and_line_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in lint_purity.PACKAGES:
        (tmp_path / package).mkdir()
    (tmp_path / "risk" / "limits.py").write_text("import time\n\nNOW = time.time()\n")
    monkeypatch.setattr(lint_purity.check_tree, "__defaults__", (tmp_path, lint_purity.PACKAGES))
    assert lint_purity.main() == 1
    assert "risk/limits.py:3: time.time reads the clock" in capsys.readouterr().out
