"""What tests of the page share: the browser, and graphs to show."""

import pages
import pytest
from browser import browser

__all__ = ["browser"]


@pytest.fixture(scope="module")
def on_the_host(request):
    """Skips before a browser is started."""
    if request.config.getoption("--device") not in (None, "cpu"):
        pytest.skip("the page is made of plain numbers, whatever device they came from")


@pytest.fixture(scope="module")
def drawings():
    return pages.drawings()
