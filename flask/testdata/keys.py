"""Prints keys that Flask-Caching makes, and its store, as JSON."""
import base64, datetime, decimal, json, sys

import flask, flask_caching

app = flask.Flask("testdata")
cache = flask_caching.Cache(app, config={"CACHE_TYPE": "SimpleCache"})


@cache.cached(query_string=True)
def items():
    return "x"


def get_user(a, b="b"):
    return "x"


get_user.__module__ = "testdata_keys"
get_user = cache.memoize()(get_user)
app.add_url_rule("/items", view_func=items)

made = {"Views": {}, "Memo": {}, "Store": {}}
for query in ["", "a=1", "b=2&a=1&a=0", "q=it%27s&r=%22", "e=%C3%A9%E2%80%8B%F0%9F%98%80%0A", "x="]:
    with app.test_request_context("/items?" + query):
        made["Views"][query] = items.make_cache_key()
arguments = {
    "ints": (1, -2), "texts": ("it's", "é\n\"'\u200b"), "floats": (1.0, 1e16), "small": (1e-5, 0.1),
    "nested": ([1, ("a",)], None), "bools": (True, False), "bytes": (b"a'\x00\xff", b""),
    "special": (decimal.Decimal("1.50"), datetime.date(2026, 1, 31)), "default": (5,),
}
with app.test_request_context("/"):
    for name, args in arguments.items():
        get_user(*args)
        made["Memo"][name] = get_user.make_cache_key(get_user.uncached, *args)
    for key, (_, value) in cache.cache._cache.items():
        made["Store"][key] = base64.b64encode(value).decode()
json.dump(made, sys.stdout)
