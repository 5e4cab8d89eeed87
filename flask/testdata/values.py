"""The values of the tests, as Python objects. With "write" it prints the pickles of
all protocols: name, protocol and hexadecimal bytes in each line. With "check" it reads
such lines and compares what they hold with the values."""
import datetime as dt, decimal, pickle, sys, uuid

utc = dt.timezone.utc
shared = ["shared"]
values = {
    "none": None, "true": True, "false": False,
    "int 0": 0, "int -1": -1, "int 255": 255, "int 256": 256, "int 65536": 65536, "int -2**31": -2**31, "int 2**31": 2**31,
    "int max": 2**63 - 1, "int min": -2**63, "int 2**63": 2**63, "int -2**63-1": -2**63 - 1, "int 2**64-1": 2**64 - 1, "int 3**700": 3**700, "int -3**700": -(3**700),
    "float": 1.5, "float inf": float("inf"), "float tiny": 5e-324,
    "str": "text", "str empty": "", "str unicode": "é€😀\n\\u0041", "str long": "x" * 300,
    "bytes": b"\x00\xff\x80", "bytes empty": b"", "bytes long": bytes(range(256)) * 2, "bytearray": bytearray(b"ab"),
    "list": [1, "a", None, [2]], "list empty": [], "tuple": (1, (2, 3), ()), "tuple 4": (1, 2, 3, 4),
    "dict": {"a": 1, "b": {"c": [True]}}, "dict empty": {}, "dict keys": {1: "one", (1, 2): "pair", b"k": None},
    "set": {7}, "set empty": set(), "frozenset": frozenset([7]),
    "datetime": dt.datetime(2026, 1, 31, 23, 59, 58, 123456), "datetime utc": dt.datetime(1, 1, 1, tzinfo=utc),
    "datetime zone": dt.datetime(2026, 7, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=-5, minutes=-30))),
    "datetime named": dt.datetime(2026, 7, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2), "CEST")),
    "date": dt.date(2026, 1, 31), "timedelta": dt.timedelta(days=-3, seconds=5, microseconds=7), "timedelta 0": dt.timedelta(0),
    "decimal": decimal.Decimal("1.50"), "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"), "uuid small": uuid.UUID(int=5),
    "shared": [shared, shared],
    "record": {"id": 42, "name": "Ada", "email": None, "tags": ["x", "y"], "born": dt.date(1815, 12, 10), "score": 9.5, "raw": b"\x01", "Extra": 1},
}

if sys.argv[1] == "write":
    for name, value in values.items():
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            print(name, protocol, pickle.dumps(value, protocol).hex(), sep="\t")
else:
    wrong = 0
    for line in sys.stdin:
        name, protocol, data = line.rstrip("\n").split("\t")
        got, want = pickle.loads(bytes.fromhex(data)), values[name]
        if isinstance(want, (frozenset, bytearray)):
            want = (set if isinstance(want, frozenset) else bytes)(want)
        if got != want or type(got) is not type(want) or getattr(got, "tzinfo", None) != getattr(want, "tzinfo", None):
            print(f"{name} in protocol {protocol}: got {got!r}, want {want!r}")
            wrong += 1
    sys.exit(wrong > 0)
