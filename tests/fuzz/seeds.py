"""What the programs of this folder begin with: {program: a function that gives their seeds}."""

import os
import re

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def pickles():
    """The corpus of the tests, but for those of thousands of items."""
    with open(os.path.join(TESTS, "value", "pickles.inc"), encoding="ascii") as file:
        found = {bytes.fromhex(text) for text in re.findall(r'"([0-9a-f]+)" \},$', file.read(), re.MULTILINE)}
    return sorted(data for data in found if len(data) <= 1024)


SEEDS = {"fuzz_pickle": pickles}
