#!/usr/bin/python3
"""Writes distribution.json: which server the clients of Python give a key to.

Needs memcached, and Debian's python3-pylibmc and python3-memcache. The servers are
started here, for the clients have no other way to tell.
"""
import json
import subprocess
import time

import memcache
import pylibmc

SERVERS = ["127.0.0.1:11211", "127.0.0.1:21401", "127.0.0.1:21402"]
KEYS = ["key-%d" % i for i in range(280)] + ["flask_cache_view/%d" % i for i in range(16)] + ["a", "shop:user:42", "\u00e9\u4e16\u754c", "k" * 250]


def main():
    running = [subprocess.Popen(["memcached", "-u", "root", "-l", s.split(":")[0], "-p", s.split(":")[1]]) for s in SERVERS]
    try:
        time.sleep(1)
        weighted = [SERVERS[0]] + [SERVERS[1]] * 2 + [SERVERS[2]] * 3
        weights = ["%s:%d" % (s, i + 1) for i, s in enumerate(SERVERS)]
        result = {
            "python_memcached": places(memcache.Client(SERVERS)),
            "python_memcached weighted": places(memcache.Client([(s, i + 1) for i, s in enumerate(SERVERS)])),
            "pylibmc": places(pylibmc.Client(SERVERS)),
            "pylibmc weighted": places(pylibmc.Client(weighted)),
            "ketama": places(pylibmc.Client(SERVERS, behaviors={"ketama": True})),
            "ketama_weighted": places(pylibmc.Client(SERVERS, behaviors={"ketama_weighted": True})),
            "ketama_weighted weighted": places(pylibmc.Client(weights, behaviors={"ketama_weighted": True})),
        }
        with open("distribution.json", "w") as f:
            json.dump({"servers": SERVERS, "weighted": weighted, "keys": KEYS, "places": result}, f)
            f.write("\n")
    finally:
        for process in running:
            process.kill()


def places(client):
    """Stores each key and looks which server has it."""
    each = [pylibmc.Client([s]) for s in SERVERS]
    found = []
    for key in KEYS:
        for one in each:
            one.delete(key)
        assert client.set(key, "v"), key
        found.append([i for i, one in enumerate(each) if one.get(key) is not None][0])
    return found


main()
