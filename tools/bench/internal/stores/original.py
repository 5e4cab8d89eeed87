"""Measures one operation of Flask-Caching for so many seconds, and prints how many
nanoseconds a call takes. The arguments are the configuration as JSON, the operation,
the keys of a batch, the bytes of a value and the seconds."""
import json
import sys
import time

from flask import Flask
from flask_caching import Cache

config, op, batch, size, seconds = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
app = Flask("bench")
cache = Cache(app, config=config)
keys = ["key:%016x" % i for i in range(256)]
value = bytes(size)
some = keys[:batch]
items = dict.fromkeys(some, value)
call = {
    "get": lambda i: cache.get(keys[i % 256]) == value,
    "set": lambda i: cache.set(keys[i % 256], value),
    "getmany": lambda i: None not in cache.get_many(*some),
    "setmany": lambda i: cache.set_many(items),
}[op]

with app.app_context():
    for key in keys:
        cache.set(key, value)
    calls, start, now = 0, time.perf_counter_ns(), 0
    while calls == 0 or now < seconds * 1e9:
        for i in range(calls, 2 * calls + 1):
            if not call(i):
                raise SystemExit("a key is missing")
        calls = 2 * calls + 1
        now = time.perf_counter_ns() - start
    print(now / calls)
