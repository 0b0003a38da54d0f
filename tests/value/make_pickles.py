#!/usr/bin/python3
"""Write tests/value/pickles.inc: pickles of many values by every Python on this machine, at every protocol that it has.

    tests/value/make_pickles.py

The table is kept; this is to be run again when there is a new Python, or a value is added.  Equal pickles of several Pythons stand there
once.  Each interpreter runs this same file, with --emit.
"""

import array
import collections
import datetime
import decimal
import fractions
import functools
import glob
import os
import pickle
import subprocess
import sys

U = type(u"")
V3 = sys.version_info[0] == 3


class Plain(object):
    pass


class Slots(object):
    __slots__ = ("x", "y")


class Old:                                  # in Python 2 a class of the old style: INST and OBJ
    pass


class Arguments:                            # the same, made with arguments
    def __init__(self, x):
        self.x = x

    def __getinitargs__(self):
        return (self.x,)


class New(object):
    def __new__(cls, *arguments, **keywords):
        self = object.__new__(cls)
        self.made = (arguments, sorted(keywords))
        return self

    def __getnewargs_ex__(self):
        return (1, u"two"), {u"three": 3}


class Int(int):
    pass


class List(list):
    pass


class Dict(dict):
    pass


Point = collections.namedtuple("Point", "x y")

if V3:
    import enum

    class Colour(enum.Enum):
        RED = 1


def instance(cls, *arguments, **state):
    made = cls(*arguments)
    for name, value in state.items():
        setattr(made, name, value)
    return made


def itself():
    made = [1]
    made.append(made)
    return made


def parent():
    made = Plain()
    made.child = instance(Plain, parent=made)
    return made


def shared():
    item, text = [1], U("text")
    return [item, text, (item, text), {text: item}]


# Name, expression, and whether Python's repr is plait's, too.
VALUES = [
    ("none", "None", 1),
    ("bools", "[True, False]", 1),
    ("small ints", "[0, 1, 255, 256, 65535, 65536, -1, -255, 2**31-1, -2**31]", 1),
    ("large ints", "[2**31, -2**31-1, 2**32, 2**63-1, -2**63, 2**63, 2**64, -10**40, 255, -128, 127 << 56]", 1),
    ("huge int", "-1 << 2050", 0),
    ("floats", "[1.5, -0.0, 0.1, 1e300, 5e-324, float('inf'), float('-inf'), float('nan')]", 1),
    ("ascii", "U('hello')", 1),
    ("empty str", "U('')", 1),
    ("unicode", r"u'h\xe9 \u20ac \U0001f600'", 1),
    ("surrogates", r"u'\ud800 \udfff'", 1),
    ("escapes", r"u'\\u0041\n\\\\x \'\" \t\r\x00\x1a'", 1),
    ("long str", "u'0123456789abcdef' * 17", 1),
    ("py2 str", "'plain'", 1),
    ("py2 escapes", r"""'\'"\\\n\t\x07 \\n'""", 1),
    ("bytes", r"b'\x00\x80\xff hello'", 0),
    ("empty bytes", "b''", 0),
    ("long bytes", "b'0123456789abcdef' * 17", 0),
    ("bytearray", r"bytearray(b'\x00\x80\xff')", 1),
    ("empty bytearray", "bytearray()", 1),
    ("tuples", "[(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((), ((),))]", 1),
    ("lists", "[[], [1], [1, 2], [[[]]]]", 1),
    ("long list", "[None] * 30", 1),
    ("batches", "[None] * 1001", 0),
    ("dicts", "[{}, {1: 2}, {U('a'): [1], (1, 2): {}, None: 1.5}]", 0),
    ("large dict", "dict.fromkeys(range(20))", 1),
    ("dict batches", "dict.fromkeys(range(1001))", 0),
    ("sets", "[set(), {1}, {1, 2}, frozenset(), frozenset([1]), frozenset([1, 2])]", V3),
    ("frozensets within", "{frozenset([frozenset([1])])}", V3),
    ("shared", "shared()", 1),
    ("itself", "itself()", 0),
    ("parent", "parent()", 0),
    ("range", "range(1, 10, 2) if V3 else xrange(1, 10, 2)", 0),
    ("slice", "slice(1, None, 2)", 0),
    ("complex", "1.5-2j", 0),
    ("array", "array.array('i', [5, 2, -3])", 0),
    ("array d", "array.array('d', [0.5])", 0),
    ("class", "collections.OrderedDict", 0),
    ("builtin", "[len, int, KeyError]", 0),
    ("nested name", "Outer.Inner", 0),
    ("exception", "KeyError('nokey')", 0),
    ("exception with state", "instance(ValueError, 'a', 2, x=1)", 0),
    ("exception tuple", "OSError(2, 'no such file')", 0),
    ("plain", "instance(Plain, a=1, b=[2])", 0),
    ("plain without state", "Plain()", 0),
    ("old", "instance(Old, a=1)", 0),
    ("old with arguments", "Arguments(7)", 0),
    ("slots", "instance(Slots, x=1, y=2)", 0),
    ("new with keywords", "New()", 0),
    ("int of a class", "Int(7)", 0),
    ("list of a class", "instance(List, [1, 2], name='n')", 0),
    ("dict of a class", "instance(Dict, {1: 2}, name='n')", 0),
    ("namedtuple", "Point(1, 2)", 0),
    ("OrderedDict", "collections.OrderedDict([(1, 2), (3, 4)])", 0),
    ("defaultdict", "collections.defaultdict(list, {1: [2]})", 0),
    ("deque", "collections.deque([1, 2], 5)", 0),
    ("Counter", "collections.Counter({3: 4})", 0),
    ("datetime", "datetime.datetime(2020, 3, 1, 23, 59, 58, 999999)", 0),
    ("timedelta", "datetime.timedelta(1, 2, 3)", 0),
    ("Decimal", "decimal.Decimal('1.50')", 0),
    ("Fraction", "fractions.Fraction(-3, 7)", 0),
    ("objects as keys", "{fractions.Fraction(1, 2): Point(1, 2), Point(3, 4): 5}", 0),
    ("enum", "Colour.RED", 0),
    ("method", "'x'.join", 0),
    ("class method", "datetime.datetime.now", 0),
    ("partial", "functools.partial(int, base=2)", 0),
    ("partial called", "Called()", 0),
    ("message", "[42, None, U('hello')]", 1),
]


class Outer(object):
    class Inner(object):
        pass


class Called(object):
    def __reduce__(self):
        return functools.partial(int, base=2), (U("101"),)


def emit():
    """A line for each pickle: protocol, name, the expected repr or -, hex."""
    for name, expression, plain in VALUES:
        try:
            value = eval(expression)
        except Exception:
            continue
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            if "batches" in name and (protocol not in (2, 4) or sys.version_info[1] != 11):
                continue
            try:
                data = pickle.dumps(value, protocol)
            except Exception:
                continue
            text = "-"
            if plain:
                text = repr(value) if V3 else subprocess_repr(data)
            hexed = "".join("%02x" % byte for byte in bytearray(data))
            print("\t".join([str(protocol), name, text.encode("unicode_escape").decode("ascii") if V3 else text, hexed]))


def subprocess_repr(data):
    """What Python 3 makes of it."""
    script = ("import pickle, sys; sys.stdout.write(repr(pickle.loads(bytes.fromhex(sys.argv[1])))"
              ".encode('unicode_escape').decode('ascii'))")
    hexed = "".join("%02x" % byte for byte in bytearray(data))
    return subprocess.check_output(["/usr/bin/python3", "-c", script, hexed]).decode("ascii")


def interpreters():
    found = []
    for path in ["/usr/bin/python3"] + glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python")):
        script = "import sys; print('%d.%d' % sys.version_info[:2])"
        version = subprocess.run([path, "-c", script], check=True, capture_output=True, text=True).stdout.strip()
        found.append((tuple(map(int, version.split("."))), path))
    return sorted({version: path for version, path in found}.items())


def c_string(text):
    """A literal, in UTF-8."""
    out = ""
    for byte in text.encode("ascii").decode("unicode_escape").encode("utf-8", "surrogatepass"):
        char = chr(byte)
        out += "\\" + char if char in '"\\?' else char if 32 <= byte < 127 else "\\%03o" % byte
    return '"%s"' % out


def generate():
    versions = {}
    for version, path in interpreters():
        environment = dict(os.environ, PYTHONHASHSEED="0", PYTHONIOENCODING="ascii")
        output = subprocess.run([path, __file__, "--emit"], check=True, capture_output=True, text=True, env=environment).stdout
        for line in output.splitlines():
            versions.setdefault(line, []).append(version)
    order = {name: at for at, (name, _, _) in enumerate(VALUES)}
    rows = sorted(versions.items(), key=lambda row: (order[row[0].split("\t")[1]], row[0].split("\t")[0], row[1]))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pickles.inc"), "w", encoding="ascii") as file:
        file.write("/* Name, the Pythons that write it so, protocol, what it prints (NULL: no plain data), hex; by make_pickles.py. */\n")
        for line, by in rows:
            protocol, name, text, hexed = line.split("\t")
            label = "%d.%d" % by[0] if len(by) == 1 else "%d.%d to %d.%d" % (by[0] + by[-1])
            expected = "NULL" if text == "-" else c_string(text)
            file.write('{ "%s", "%s", %s, %s, "%s" },\n' % (name, label, protocol, expected, hexed))
    print("%d pickles, %d bytes" % (len(rows), sum(len(line.split("\t")[3]) // 2 for line, _ in rows)))


if __name__ == "__main__":
    if sys.argv[1:] == ["--emit"]:
        emit()
    else:
        generate()
