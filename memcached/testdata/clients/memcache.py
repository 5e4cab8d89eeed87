"""Arguments: the server. Reads and counts what Go has stored, and stores its own numbers."""
import json, sys

sys.path.pop(0)  # this directory
import memcache

text = lambda value: value.decode() if isinstance(value, bytes) else str(value)
client = memcache.Client([sys.argv[1]])
result = {"client": "python-memcached", "version": memcache.__version__, "language": "Python"}
result["reads"] = text(client.get("go-number"))
result["text"] = text(client.get("go-text"))
result["counts"] = str(client.incr("go-number", 1))
client.set("number", 7)
client.set("counter", 7)
client.set("text", "text")
print(json.dumps(result))
