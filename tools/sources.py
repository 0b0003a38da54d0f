"""Where plait's files are, and how to read C coarsely: what the checks share."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
INCLUDE = ROOT / "include"


def layers():
    """src/LAYERS as {room: level} and {public header's name: room}."""
    levels, headers = {}, {}
    for line in (SOURCE / "LAYERS").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            level, room, *names = line.split()
            levels[room] = int(level)
            headers.update({name: room for name in names})
    return levels, headers


def public_headers():
    """plait.h and the headers of include/plait/, as paths."""
    return sorted(INCLUDE.glob("plait.h")) + sorted(INCLUDE.glob("plait/*.h"))


def cpp_headers():
    """plait.hpp and its parts in include/plait/, as paths."""
    return sorted(INCLUDE.glob("plait.hpp")) + sorted(INCLUDE.glob("plait/*.hpp"))


def installed_headers():
    """All that users include: those above, and what is for C++ only."""
    return sorted([*public_headers(), *cpp_headers()])


def c_files(*folders):
    return sorted(path for folder in folders for pattern in ("*.[ch]", "*.[ch]pp") for path in (ROOT / folder).rglob(pattern))


def name_of(path):
    """As people write it: from the root of the checkout."""
    return str(path.relative_to(ROOT))


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)


def without_directives(text):
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", "", text, flags=re.MULTILINE)


def report(problems):
    """Print them; the exit status."""
    for problem in problems:
        print(problem)
    return 1 if problems else 0
