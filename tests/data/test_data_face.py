"""What `jaxcompress.data` lists: the readers, each imported when it is asked for."""

import subprocess
import sys

import pytest

import jaxcompress.data


def test_every_name_of_the_face_is_there_and_of_the_module_that_defines_it():
    for name in jaxcompress.data.__all__:
        found = getattr(jaxcompress.data, name)
        assert (found.__name__, found.__module__.rpartition(".")[0].split(".")[:2]) == (
            name,
            ["jaxcompress", "data"],
        )
    assert set(jaxcompress.data.__all__) <= set(dir(jaxcompress.data))
    with pytest.raises(AttributeError, match=r"'jaxcompress\.data' has no attribute 'nonsense'"):
        _ = jaxcompress.data.nonsense


def test_a_reader_is_imported_when_it_is_asked_for_and_no_other_is():
    program = (
        "import sys, jaxcompress.data\n"
        "assert 'pyarrow' not in sys.modules\n"
        "assert jaxcompress.data.read_ratings.__name__ == 'read_ratings'\n"
        "assert 'jaxcompress.data.ratings.read' in sys.modules\n"
        "assert 'pyarrow' not in sys.modules\n"
        "assert 'jaxcompress.data.text.corpus' not in sys.modules\n"
        "assert 'jax' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
