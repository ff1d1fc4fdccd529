"""Bars in a notebook: none of them may need ipywidgets, or say that it is missing."""

import subprocess
import sys

# A kernel as tqdm sees it; a missing ipywidgets is one whose import fails.
PROGRAM = """
import sys, types
shell = types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell)
sys.modules["ipykernel.zmqshell"] = types.ModuleType("zmqshell")
sys.modules["ipywidgets"] = None
from jaxcompress.bars import tqdm
with tqdm(total=3, file=sys.stderr) as bar:
    bar.update(3)
"""


def test_a_notebook_without_ipywidgets_has_a_bar_of_text_and_no_warning():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "100%" in done.stderr
    assert "IProgress" not in done.stderr
