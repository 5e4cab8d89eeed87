"""A Flask application with Flask-Caching, with the settings in place of CONFIG. POST
/call returns the repr of an expression."""
import datetime as dt, decimal, json, os, sys, uuid

import cachelib, flask, flask_caching

values = {
    "none": None, "true": True, "false": False, "int": 42, "negative": -7, "zero": 0, "int max": 2**63 - 1, "int min": -2**63,
    "big": 2**70, "float": 1.5, "str": "text", "str unicode": "é€😀\n", "str digits": "12", "bytes": b"\x00\xff!", "bytes digits": b"12",
    "bytes empty": b"", "str empty": "", "list": [1, "a", None, [2.5]], "tuple": (1, (2, 3)), "dict": {"a": 1, "b": {"c": [True]}},
    "set": {7}, "frozenset": frozenset([7]), "datetime": dt.datetime(2026, 1, 31, 23, 59, 58, 123456),
    "datetime utc": dt.datetime(2026, 1, 31, tzinfo=dt.timezone.utc), "date": dt.date(2026, 1, 31),
    "timedelta": dt.timedelta(days=-3, seconds=5, microseconds=7), "decimal": decimal.Decimal("1.50"),
    "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"), "long": bytes(range(256)) * 12000,
}
small = [name for name in values if name != "long"]

app = application = flask.Flask("testdata")
cache = flask_caching.Cache(app, config=json.loads(r'''CONFIG'''))
app.app_context().push()
store = cache.cache
version = "%s %s %d.%d" % (flask_caching.__version__, cachelib.__version__, *sys.version_info[:2])


def calls(name):
    """Counts, in a file: uWSGI has several processes."""
    with open(f"calls of {name}", "a") as f:
        f.write("x")
        return f.tell()


def key(name):
    return name.replace(" ", "_")


@app.route("/users/42")
@cache.cached(timeout=600)
def view():
    return "view %d" % calls("view")


@app.route("/search")
@cache.cached(timeout=600, query_string=True)
def search():
    return "search %d" % calls("search")


def get_user(id, full=False):
    return {"id": id, "call": calls("user")}


get_user.__module__ = "app.models"
get_user = cache.memoize(600)(get_user)


class User:
    def __init__(self, id):
        self.id = id

    def __repr__(self):
        return f"User({self.id})"

    def friends(self, limit):
        return [self.id, limit, calls("friends")]

    friends.__module__ = "app.models"
    friends = cache.memoize(600)(friends)


def visit(path):
    return app.test_client().get(path).get_data(as_text=True)


def write(names=small):
    """Stores the values under py-<name>, and returns what could not be read back."""
    for name in names:
        cache.set("py-" + key(name), values[name], timeout=3600)
    return [name for name in names if cache.get("py-" + key(name)) != values[name]]


def wrong(names=small):
    """Returns what Go has stored under go-<name> that is not the value."""
    found = {}
    for name in names:
        got, want = cache.get("go-" + key(name)), values[name]
        if isinstance(want, frozenset):
            want = set(want)  # Go has one type for both
        if got != want or type(got) is not type(want) or getattr(got, "tzinfo", None) != getattr(want, "tzinfo", None):
            found[name] = got
    return found


@app.route("/call", methods=["POST"])
def call():
    try:
        return repr(eval(flask.request.get_data(as_text=True), globals()))
    except Exception as e:
        return f"raised {e!r}"


if __name__ == "__main__":
    app.run(os.environ["BIND"], int(sys.argv[1]))
