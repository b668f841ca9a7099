"""What tests of applications and of storages need.

`StorageConformance` proves a storage; `ManualClock` lets a test own the time. Importing this
package imports pytest; importing `aiocredits` does not import this package.
"""

import pytest

pytest.register_assert_rewrite("aiocredits.testing.conformance", "aiocredits.testing.lifetimes")

from aiocredits.testing.clock import ManualClock  # noqa: E402 - after the line that rewrites it
from aiocredits.testing.conformance import StorageConformance  # noqa: E402 - as above

__all__ = ["ManualClock", "StorageConformance"]
