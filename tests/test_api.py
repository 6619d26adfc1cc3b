"""What `import tsn` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tsn
from tsn import errors


@pytest.mark.parametrize("name", tsn.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(tsn, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rendre'"):
        _ = tsn.rendre


def test_every_error_is_exported() -> None:
    defined = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.TsnError)]
    assert len(defined) == 7
    assert all(getattr(tsn, each.__name__) is each for each in defined)


def test_import_brings_nothing_heavy() -> None:
    code = "import sys, tsn; print([n for n in ('torch', 'numpy', 'OpenEXR', 'pydantic', 'cv2') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
