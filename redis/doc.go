// Package redis is the cache backend on Redis, and on the servers that speak its
// protocol: one server, a cluster, or the primary that sentinels know. It is built
// on github.com/redis/go-redis/v9 and brings nothing else.
//
// Importing the package registers CACHE_TYPE "redis", "rediscluster" and
// "redissentinel". [New] opens the same from [Options], and [NewFromClient]
// borrows a client that the application has already.
//
// # What may happen to a call
//
// A call is back at the deadline of its context. To a cancellation without a
// deadline the driver is blind: such a call ends at Options.ReadTimeout at the
// latest, at once where it shares a round trip with others.
//
// A read whose connection breaks is repeated once, and so is Set, to which it does
// no harm. Add, Inc and deletes, whose answers would be wrong the second time, are
// sent at most once: where the answer is lost they return cache.ErrUnknownOutcome,
// and so does Set where its second try fails too. cache.ErrUnavailable from a write
// means that nothing was sent, or that the server refused it for now (loading, read
// only, cluster down).
//
// Life begins when the server executes the command, by the server's clock.
//
// A failover loses the writes that the old primary had not passed on. Redis
// acknowledges them before; do not keep here what must not be lost.
//
// # Permissions
//
// README lists the commands that each call needs. Inc with a timeout is a script. If
// the server refuses scripts, Inc sends transactions instead, and if it refuses
// transactions too, single commands. The count is exact in each case. With single
// commands, a counter that expires during the call starts anew within it.
//
// # Many callers
//
// Up to four calls at a time each use a connection of their own. Beyond that, Get,
// Has, TTL, Set, Add, Inc and Delete share round trips: what arrives while two are under
// way goes out with the next, which at 64 callers is several times faster. A call
// that ends before its turn is not sent. Options.NoAutoPipeline turns it off. A
// cluster never does it: one slow node would delay the callers of all others.
package redis
