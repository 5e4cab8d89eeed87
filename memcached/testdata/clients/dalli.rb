# Arguments: the server. Reads and counts what Go has stored, and stores its own numbers.
require "dalli"
require "json"

client = Dalli::Client.new(ARGV[0])
result = { "client" => "Dalli", "version" => Dalli::VERSION, "language" => "Ruby" }
result["reads"] = client.get("go-number").to_s
result["text"] = client.get("go-text")
result["counts"] = client.incr("go-number", 1).to_s
client.set("number", 7)
client.set("counter", 7, 60, raw: true)
client.set("text", "text")
puts JSON.dump(result)
