package redis

import "strings"

// With Options.PublishChanges, every write is a script that first publishes its key and
// then executes the write. Scripts are atomic: no other client sees the one without the
// other, also if the connection of the writer breaks or a cluster redirects the write. If
// the user has no permission to publish, the script ends before it has changed anything.

const (
	changedChannel = "cachebackends:changed:" // and the key
	flushedChannel = "cachebackends:flushed"  // all entries were removed
)

const (
	publishKey     = `redis.call('publish', ARGV[#ARGV] .. KEYS[1], '')` + "\n"
	publishedWrite = scriptErrors + `local reply = redis.pcall(unpack(ARGV, 1, #ARGV - 1))
if type(reply) == 'table' and reply.err then return failed(reply) end
return reply`
	publishedFlush = `redis.call('publish', ARGV[1], '')
return redis.call('flushdb', 'async')`
)

// WatchIsPartial reports whether Watch reports only changes that their writers publish:
// see [Options.PublishChanges].
func (b *Backend) WatchIsPartial() bool { return b.publishes }

// writeArgs returns the arguments of a command that changes the first of its keys.
func (b *Backend) writeArgs(args []any, keys ...string) []any {
	if !b.publishes {
		return args
	}
	return b.writeScript(publishedWrite, keys, args...)
}

// writeScript returns the arguments of a command that executes a script, which changes the
// first of its keys.
func (b *Backend) writeScript(text string, keys []string, args ...any) []any {
	if !b.publishes {
		return eval(text, keys, args...)
	}
	return append(eval(publishKey+text, keys, args...), changedChannel)
}

// refusesPublication reports whether an error reply refuses a script or what publishes in it.
func refusesPublication(text string) bool {
	switch {
	case strings.HasPrefix(text, scriptDenied):
		return true
	case strings.HasPrefix(text, "NOPERM "), strings.HasPrefix(text, "ERR unknown command"):
		text = strings.ToLower(text)
		return strings.Contains(text, "'eval'") || strings.Contains(text, "'publish'") || strings.Contains(text, "script")
	}
	return false
}

// scriptDenied begins the error of a command in a script, up to Redis 7.0, for which the
// user has no permission.
const scriptDenied = "ERR The user executing the script can't "

// flushArgs returns the arguments of the command that empties a database.
func (b *Backend) flushArgs() []any {
	if !b.publishes {
		return []any{"flushdb", "async"}
	}
	return eval(publishedFlush, nil, flushedChannel)
}
