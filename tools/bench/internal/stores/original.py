"""One backend of Flask-Caching, which makes the calls that it reads from its
standard input, "get 1000", and answers each line when they are done."""
import json
import sys

from flask import Flask
from flask_caching import Cache

config, batch, size = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
app = Flask("bench")
cache = Cache(app, config=config)
keys = ["key:%016x" % i for i in range(256)]
value = bytes(size)
some = keys[:batch]
items = dict.fromkeys(some, value)


def get(n):
    for i in range(n):
        if cache.get(keys[i % 256]) != value:
            raise SystemExit("a key is not there")


def set(n):
    for i in range(n):
        if not cache.set(keys[i % 256], value):
            raise SystemExit("a key is not stored")


def getmany(n):
    for _ in range(n):
        if None in cache.get_many(*some):
            raise SystemExit("a key is not there")


def setmany(n):
    for _ in range(n):
        if not cache.set_many(items):
            raise SystemExit("keys are not stored")


with app.app_context():
    set(256)
    print("ready", flush=True)
    for line in sys.stdin:
        op, n = line.split()
        globals()[op](int(n))
        print("done", flush=True)
