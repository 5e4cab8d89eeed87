"""A Flask application whose cache a program in Go shares."""
import datetime
import os

from flask import Flask
from flask_caching import Cache

app = Flask(__name__)
app.config["CACHE_TYPE"] = "RedisCache"
app.config["CACHE_REDIS_URL"] = os.environ["CACHE_REDIS_URL"]
cache = Cache(app)


@app.route("/users/<name>")
@cache.cached(timeout=600)
def page(name):
    print("Flask renders the page of", name)
    return f"<h1>{name}</h1>"


@cache.memoize(timeout=600)
def profile(name):
    print("Flask asks the database for", name)
    return {"name": name, "born": datetime.date(1815, 12, 10), "tags": ["math"]}


def main():
    print("Flask serves", app.test_client().get("/users/Ada").text)
    print("Flask knows", profile("Ada")["tags"])
    print("Flask reads", cache.get("notice"))
    print("Flask counts", cache.cache.inc("visits"))
