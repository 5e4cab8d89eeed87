# Arguments: the server. The cache store of Rails, as Rails.cache.
require "active_support"
require "active_support/cache"
require "active_support/notifications"
require "dalli"
require "json"

cache = ActiveSupport::Cache.lookup_store(:mem_cache_store, ARGV[0])
result = { "client" => "Rails.cache", "version" => ActiveSupport::VERSION::STRING, "language" => "Ruby" }
result["reads"] = cache.read("go-number", raw: true).to_s
result["text"] = cache.read("go-text", raw: true)
result["counts"] = cache.increment("go-number", 1).to_s
cache.write("number", 7)
cache.write("counter", 7, raw: true)
cache.write("text", "text")
puts JSON.dump(result)
