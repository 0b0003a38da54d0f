"""The code that comments and documents show: what C and C++ programmers are taken to have at hand, and how it is compiled."""

import re
import subprocess

import sources

STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
COMPILE_C = ["gcc", "-x", "c", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
COMPILE_CPP = ["g++", "-x", "c++", "-std=c++11", *STRICT]

AT_HAND = ["errno", "signal", "stdio", "stdlib", "string", "unistd", "plait"]
AT_HAND_IN_CPP = ["cstdio", "functional", "plait.hpp"]

INCLUDE_LINE = re.compile(r"^#include.*\n", re.MULTILINE)
FUNCTION = re.compile(r"^\{$", re.MULTILINE)


def program_of_c(code):
    """What has functions in it is taken as it is, a few statements become a function; both get what is at hand."""
    common = "".join(f"#include <{name}.h>\n" for name in AT_HAND)
    if "int main" in code or FUNCTION.search(code):
        return common + code
    includes = "".join(INCLUDE_LINE.findall(code))
    return f"{common}{includes}void snippet(void);\nvoid snippet(void)\n{{\n{INCLUDE_LINE.sub('', code)}}}\n"


def program_of_cpp(code):
    return "".join(f"#include <{name}>\n" for name in AT_HAND_IN_CPP) + code


def compile_problem(what, command, program):
    """None, or what the compiler says."""
    done = subprocess.run([*command, f"-I{sources.INCLUDE}", "-fsyntax-only", "-"], input=program, text=True,
                          capture_output=True, check=False)
    return f"{what}: {' '.join(command)}\n{done.stderr}" if done.returncode else None
