"""What the programs of this folder begin with: {program: a function that gives their seeds}."""

import os
import re

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def pickles():
    """The corpus of the tests, but for those of thousands of items."""
    with open(os.path.join(TESTS, "value", "pickles.inc"), encoding="ascii") as file:
        found = {bytes.fromhex(text) for text in re.findall(r'"([0-9a-f]+)" \},$', file.read(), re.MULTILINE)}
    return sorted(data for data in found if len(data) <= 1024)


def handshakes():
    """Whole ones, in either role, as the programs of new and of old Pythons go through them; and pieces of them."""
    new, old = bytes([4, 48]) + b"{sha256}" + bytes(range(40)), bytes([4, 20]) + bytes(range(20))
    answer, welcome = bytes([2, 0]), bytes([3, 0])
    whole = [data for challenge in (new, old) for data in (b"\1" + answer + challenge + welcome, b"\0" + challenge + welcome + answer)]
    pieces = [b"\0" + bytes([0, len(data)]) + data for data in (b"\0\0\0\x09#WELCOME#", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 12)]
    return whole + pieces


SEEDS = {"fuzz_pickle": pickles, "fuzz_handshake": handshakes}
