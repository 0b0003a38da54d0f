"""Stock Python's part of test_pickle_python: makes values, sends their pickles, and compares what comes back.

    pickle_peer.py SEED COUNT
    pickle_peer.py alone

On standard input and output: messages, each with its size (8 bytes, the lowest first) before it.  A pickle goes out; the same value
in protocols 2 to 5 comes back.
"""

import array
import collections
import datetime
import decimal
import enum
import fractions
import pickle
import random
import struct
import sys


class Plain:
    def __eq__(self, other):
        return type(other) is type(self) and other.__dict__ == self.__dict__

    __hash__ = None


class Alone:
    """Equal only to itself."""


class Slots:
    __slots__ = ("x", "y")

    def __eq__(self, other):
        return type(other) is type(self) and (other.x, other.y) == (self.x, self.y)


class Keywords:
    def __new__(cls, *arguments, **keywords):
        self = object.__new__(cls)
        self.made = (arguments, keywords)
        return self

    def __getnewargs_ex__(self):
        return self.made

    def __eq__(self, other):
        return type(other) is type(self) and other.made == self.made


class List(list):
    def __eq__(self, other):
        return type(other) is type(self) and list(other) == list(self) and other.__dict__ == self.__dict__


class Dict(dict):
    def __eq__(self, other):
        return type(other) is type(self) and dict(other) == dict(self) and other.__dict__ == self.__dict__


class Colour(enum.Enum):
    RED = 1
    GREEN = "green"


class Outer:
    class Inner:
        def __init__(self, x):
            self.x = x

        def __reduce__(self):
            return Outer.Inner, (self.x,)

        def __eq__(self, other):
            return type(other) is type(self) and other.x == self.x


Point = collections.namedtuple("Point", "x y")


def parts(value):
    """The value with its types, for ==; exceptions, which do not compare, as what they are made of."""
    kind = type(value)
    if isinstance(value, BaseException):
        return (kind, parts(value.args), parts(value.__dict__))
    if kind is float:
        return repr(value)
    if kind in (int, bool, str, bytes, type(None)):
        return (kind, value)
    if kind in (list, tuple):
        return (kind, [parts(item) for item in value])
    if kind in (dict, collections.OrderedDict):
        return (kind, [(parts(key), parts(item)) for key, item in value.items()])
    if kind is collections.deque:
        return (kind, value.maxlen, [parts(item) for item in value])
    if kind in (Plain, List, Dict):
        return (kind, parts(list(value)) if kind is List else parts(dict(value)) if kind is Dict else None, parts(value.__dict__))
    inside = {Slots: lambda: (value.x, value.y), Keywords: lambda: value.made, Outer.Inner: lambda: value.x,
              Point: lambda: tuple(value)}.get(kind)
    return (kind, parts(inside()) if inside else value)


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.made = []

    def text(self):
        pick = self.random.choice
        alphabet = pick(["abc", "\0\n\r\t\\'\"u0041", "h\xe9\xff\x80", "\u20ac\u4e00", "\U0001f600\U0010ffff", "\ud800\udfffa"])
        return "".join(pick(alphabet) for _ in range(pick([0, 1, 3, 8, 15, 16, 40, 300])))

    def integer(self):
        bits = self.random.choice([1, 8, 9, 16, 17, 31, 32, 33, 63, 64, 65, 100, 2040, 2050])
        return self.random.choice([-1, 1]) * self.random.getrandbits(bits) + self.random.choice([0, 0, 1, -1, 1 << (bits - 1)])

    def real(self):
        """Not NaN, which is not itself."""
        number, = struct.unpack("d", struct.pack("Q", self.random.getrandbits(64)))
        return self.random.choice([0.0, -0.0, 1.5, 0.1, 1e300, 5e-324, float("inf"), number if number == number else 2.5])

    def data(self):
        return bytes(self.random.getrandbits(8) for _ in range(self.random.choice([0, 1, 14, 15, 16, 300])))

    def scalar(self):
        kind = self.random.randrange(7)
        if kind == 0:
            return self.random.choice([None, True, False])
        return [self.integer, self.text, self.real, self.data, self.integer, self.text][kind - 1]()

    def hashable(self, depth):
        kind = self.random.randrange(12 if depth else 5)
        if kind < 5:
            return self.scalar()
        if kind == 5:
            return frozenset(self.hashable(depth - 1) for _ in range(3))
        if kind == 6:
            return fractions.Fraction(self.random.randrange(-9, 9), 7)
        if kind == 7:
            return Point(self.hashable(depth - 1), self.hashable(depth - 1))
        if kind == 8:
            return datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=self.random.randrange(10**8))
        if kind == 9:
            return self.random.choice([Colour.RED, Colour.GREEN, int, collections.OrderedDict, len, range(3, 10, 2)])
        return tuple(self.hashable(depth - 1) for _ in range(self.random.randrange(6)))

    def of_class(self, depth):
        pick, some = self.random.randrange(16), lambda: self.value(depth - 1)
        if pick < 6:
            made = [Plain, Slots, List, Dict, lambda: KeyError("nokey", some()), lambda: OSError(2, "no such file")][pick]()
            if pick == 3:
                made[self.hashable(depth - 1)] = some()
            if pick == 2:
                made.extend([some(), some()])
            made.x, *rest = some(), None
            if pick == 1:
                made.y = some()
            return made
        return [lambda: Keywords(1, some(), key=some()), lambda: Outer.Inner(some()), lambda: Point(some(), some()),
                lambda: collections.deque([some(), some()], self.random.choice([None, 5])),
                lambda: collections.OrderedDict([(self.text(), some()), (self.integer(), some())]),
                lambda: array.array("i", [1, -2, 3]), lambda: array.array("d", [0.5]), lambda: complex(1.5, -2),
                lambda: slice(1, None, 2), lambda: decimal.Decimal("1.50")][pick - 6]()

    def value(self, depth):
        kind = self.random.randrange(10 if depth else 3)
        if kind < 3:
            return self.scalar()
        if kind == 3 and self.made:
            return self.random.choice(self.made)                # the same thing in several places
        size = self.random.choice([0, 1, 2, 3, 4, 5, 9, 20])
        if kind == 4:
            return bytearray(self.data())
        if kind == 5:
            made = {self.hashable(depth - 1): self.value(depth - 1) for _ in range(size)}
        elif kind == 6:
            made = {self.hashable(depth - 1) for _ in range(size)}
        elif kind == 7:
            made = self.of_class(depth)
        else:
            made = (tuple if kind == 8 else list)(self.value(depth - 1) for _ in range(size))
        self.made.append(made)
        return made


def receive():
    size, = struct.unpack("<Q", sys.stdin.buffer.read(8))
    return sys.stdin.buffer.read(size)


def send(data):
    sys.stdout.buffer.write(struct.pack("<Q", len(data)) + data)
    sys.stdout.buffer.flush()


def shared(value):
    """Which places of lists and tuples have the same thing."""
    seen, found = {}, []

    def walk(item, depth):
        if isinstance(item, (list, dict, set)):
            found.append(seen.setdefault(id(item), len(seen)))
        if isinstance(item, (list, tuple)) and depth < 9:
            for inner in item:
                walk(inner, depth + 1)
    walk(value, 0)
    return found


def difference(one, other):
    """The innermost parts that differ."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        for inner, other_inner in zip(one, other):
            if inner != other_inner:
                return difference(inner, other_inner)
    return "%.500r became %.500r" % (one, other)


def check_alone():
    """Keys that look alike, and are different."""
    one, other = Alone(), Alone()
    keys = [one, other, (one, 1), (other, 1), frozenset([one]), frozenset([other]), frozenset([one, other]), KeyError(1), KeyError(1),
            complex(1, 2), range(3)]
    value = [keys, {key: i for i, key in enumerate(keys)}, set(keys), collections.OrderedDict((key, 0) for key in keys)]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        send(pickle.dumps(value, protocol))
        for back_protocol in range(2, 6):
            data_back = receive()
            if back_protocol > pickle.HIGHEST_PROTOCOL:
                continue
            keys_back, a_dict, a_set, ordered = pickle.loads(data_back)
            if [a_dict.get(key) for key in keys_back] != list(range(len(keys))) or a_set != set(keys_back) or \
                    list(ordered) != keys_back or len(a_set) != len(keys):
                sys.exit("protocol %d and back in %d: %r" % (protocol, back_protocol, a_dict))
    send(b"")


def main():
    if sys.argv[1] == "alone":
        check_alone()
        return
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    for number in range(count):
        value = Maker(seed + number).value(4)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            if protocol < 2:
                try:
                    data = pickle.dumps(value, protocol)
                except TypeError:                              # slots need protocol 2
                    continue
                value_there = pickle.loads(data)
            else:
                data = pickle.dumps(value, protocol)
                value_there = value
            send(data)
            for back_protocol in range(2, 6):
                data_back = receive()
                if back_protocol > pickle.HIGHEST_PROTOCOL:
                    continue
                back = pickle.loads(data_back)
                if parts(back) != parts(value_there) or shared(back) != shared(value_there):
                    sys.exit("seed %d, protocol %d and back in %d: %s" % (seed + number, protocol, back_protocol,
                                                                          difference(parts(value_there), parts(back))))
    send(b"")


if __name__ == "__main__":
    main()
