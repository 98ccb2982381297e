"""What tests of the page share: the browser, and graphs to show."""

import pages
import pytest
from browser import browser

__all__ = ["browser"]


@pytest.fixture
def on_the_host(device):
    if not device.is_host:
        pytest.skip("the page is made of plain numbers, whatever device they came from")


@pytest.fixture(scope="module")
def drawings():
    return pages.drawings()
