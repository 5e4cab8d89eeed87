"""Arguments: the server. Reads and counts what Go has stored, and stores its own numbers."""
import importlib.metadata, json, sys

sys.path.pop(0)  # this directory
import pylibmc

client = pylibmc.Client([sys.argv[1]])
result = {"client": "pylibmc", "version": importlib.metadata.version("pylibmc"), "language": "Python"}
result["reads"] = client.get("go-number").decode()
result["text"] = client.get("go-text").decode()
result["counts"] = str(client.incr("go-number", 1))
client.set("number", 7)
client.set("counter", 7)
client.set("text", "text")
print(json.dumps(result))
