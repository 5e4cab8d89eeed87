"""A Flask application whose views and functions are cached. POST /call evaluates an
expression in it. CONFIG is replaced by its settings."""
import datetime as dt, decimal, json, os, sys, uuid

from flask import Flask, request
from flask_caching import Cache

app = application = Flask("app")
app.config.from_mapping(json.loads(r'''CONFIG'''))
cache = Cache(app)


@app.route("/users/<name>")
@cache.cached(timeout=1000)
def user(name):
    return f"{name} {uuid.uuid4()}"


@app.route("/items")
@cache.cached(query_string=True)
def items():
    return f"items {uuid.uuid4()}"


@cache.memoize()
def get_user(id, style="long"):
    return {"id": id, "style": style, "run": str(uuid.uuid4())}


class User:
    def __init__(self, id):
        self.id = id

    def __repr__(self):
        return f"User({self.id})"

    @cache.memoize()
    def friends(self, limit):
        return [self.id, limit, str(uuid.uuid4())]


values = {
    "none": None, "true": True, "false": False, "int": 42, "negative": -7, "largest": 2**63 - 1, "larger": -2**100, "float": 1.5,
    "str": "é\n😀", "empty": "", "digits": "42", "bytes": b"\x00\xff!", "list": [1, "a", None, [2.5]], "tuple": (1, (2,), "b"),
    "dict": {"id": 42, "name": "Ada", "tags": ["x"], "born": dt.date(1815, 12, 10)}, "keys": {1: "one", (1, 2): b"pair"}, "set": {7}, "frozenset": frozenset([8]),
    "datetime": dt.datetime(2026, 1, 31, 23, 59, 58, 123456), "aware": dt.datetime(2026, 7, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    "date": dt.date(2026, 1, 31), "timedelta": dt.timedelta(days=-3, microseconds=7), "decimal": decimal.Decimal("1.50"),
    "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"), "large": "x" * 20_000,
}


def differences(prefix):
    """The values that are not stored under the prefix, with what is."""
    wrong = {}
    for name, want in values.items():
        if isinstance(want, frozenset):
            want = set(want)  # what Go writes
        got = cache.get(prefix + name)
        if (got != want or type(got) is not type(want)) and name not in SKIPPED:
            wrong[name] = got
    return wrong


SKIPPED = set(app.config.get("SKIPPED", ()))


def set_all(prefix):
    return [name for name, value in values.items() if name not in SKIPPED and not cache.set(prefix + name, value, timeout=1000)]


@app.route("/call", methods=["POST"])
def call():
    return repr(eval(request.get_data(as_text=True), globals()))


if __name__ == "__main__":
    app.run(os.environ["BIND"], int(sys.argv[1]), threaded=True)
