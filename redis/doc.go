// Package redis is the cache backend for Redis and servers that speak its protocol: one
// server, a cluster, or a primary that sentinels monitor. It requires
// github.com/redis/go-redis/v9 and nothing else.
//
// Importing the package registers CACHE_TYPE "redis", "rediscluster" and
// "redissentinel". [New] opens the same backend from [Options]. [NewFromClient] uses a
// go-redis client of the application.
//
// # Errors and retries
//
// A call returns within 20 ms of the end of its context. If the server has not replied, the
// connection is closed, and after a write the error wraps [driver.ErrUnknownOutcome]. The
// error of a cancelled call matches [context.Canceled]. A client of the application
// does not notice a cancellation: such a call returns at the deadline of its context or at
// the read timeout, or at once if it shares a round trip.
//
// [Options.ReadTimeout] bounds the wait for each 64 KiB of the replies in a round trip, so
// GetMany of large values may take longer as a whole. A client of the application has one
// timeout for the whole round trip.
//
// If the connection breaks, a read is sent once more. A write is sent at most once: if the
// reply is lost, the error is [driver.ErrUnknownOutcome]. If Set were sent again, the server
// might execute the first request after the second one and after a later delete, and the
// old value would come back. [driver.ErrUnavailable] from a write means that nothing was
// sent, or that the server refused it for now: it is loading, read only, or its cluster is
// down.
//
// A server may close idle connections. The driver notices that before it uses such a
// connection, with TLS too, but not if a client of the application uses TLS: set its
// ConnMaxIdleTime to less than the idle timeout of the server. [Options.ConnMaxIdleTime]
// is for firewalls and balancers that forget connections without closing them.
//
// A [driver.BatchError] names the keys of a batch that failed, and the other keys have
// their results. A server that fails ends the batch for its own keys only.
//
// If a server closes a new connection, the error has the reason that the server gave, such
// as too many clients, and the remedy. With a client of the application, go-redis may
// discard that reason. Clear returns errors.ErrUnsupported if the server is a node
// of a cluster that was configured as one server, because the other nodes would keep their
// entries. Servers before version 6 do not report that they belong to a cluster.
//
// The messages of the driver go to [log/slog] at level debug instead of standard error,
// unless the program calls SetLogger of go-redis itself.
//
// A failover loses the writes that the old primary had acknowledged and not yet sent to
// its replica. Do not store what must not be lost.
//
// # Expiry
//
// The TTL is rounded up to milliseconds. It begins when the server executes the command,
// and the server's clock counts it. TTL returns the remaining TTL. The TTL that
// [Backend.GetWithTTL] returns is shortened by the duration of the call, so that a copy of
// the value does not outlive the entry.
//
// # Limits
//
// Values have up to 512 MiB, the server's default limit. Larger values are rejected before
// anything is sent. Keys have any length and any bytes. The exception is a key that ends in
// "\x00lease" and two more bytes: it is the name of a lease, and [driver.ErrInvalidKey].
//
// Replies are bounded: 512 MiB per string, 16 lists in lists, 1,048,576 elements, and much
// less before login. A connection on which a malformed reply arrives is closed. A client
// of the application has no such bounds.
//
// # Watch
//
// [Backend.Watch] reports changes, whoever makes them, by CLIENT TRACKING in broadcasting
// mode. It requires Redis 6, and ends with errors.ErrUnsupported if the server refuses
// CLIENT TRACKING or RESP3. Before Redis 8.10 the server reports the names of keys that
// the user has no permission to read.
//
// With [Options.PublishChanges], writers publish their changes instead: every write is a
// script that publishes the key on the channel "cachebackends:changed:" and the key, and
// executes the write. Both happen or none. So a change is also published if its writer does
// not receive the reply, or if a cluster redirects it. Clear publishes on
// "cachebackends:flushed". Watch subscribes to the keys with its prefix on every primary.
// Writes of programs without the option, evictions and expiries are not reported:
// [Backend.WatchIsPartial] returns true, and package tiered requires NearTTL.
//
// # Leases
//
// [Backend.Lease] stores its token under a second key, which expires at the end of the
// hold. [Backend.Fill] stores only if the key is absent and the second key has the token.
//
// A delete removes the second key in the same round trip, before the entry. A write with
// a TTL of up to [driver.MaxHold] removes it after the entry is stored. A write with a
// longer TTL does not remove it, because the entry outlives the lease. If the server
// evicts such an entry during the hold, Fill may store an older value. A DEL by another
// program does not end a lease.
//
// SET with a short TTL and the removal of the lease are two commands. If the entry expires
// before the server executes the second one, Fill may store an older value in between. If
// the connection breaks between them, Set returns [driver.ErrUnknownOutcome] and the lease
// remains. If that entry then expires before the lease, Fill may store an older value.
//
// Lease and Fill are sent at most once. If the reply to Lease is lost, other callers get the
// lease at the end of the hold. Leases and [Backend.CompareAndSwap] are scripts. If the server
// refuses scripts, they return an error that wraps errors.ErrUnsupported.
//
// # Other types
//
// Another program may store a list, a hash or another type than a string. Such a key is
// absent, and Get returns [driver.ErrCorrupt]. Deletes remove it and report that it was absent. Add
// and Inc remove it by a script before they store their value.
//
// # Permissions
//
// The README lists the commands that each call needs. Inc with a timeout is a script. If the
// server refuses scripts, Inc sends transactions instead, and if it refuses transactions
// too, single commands. The count is exact in each case. With single commands, a counter
// that expires during the call starts anew within the call. If the call ends at that
// moment, or the user has no permission for PEXPIRE, it stays without an expiry. So does a
// counter that starts anew because another client deletes one without an expiry during the
// call. A value without an expiry that another client stores in place of an expired counter
// may get the expiry of the call.
//
// # Concurrency
//
// A [Backend] is safe for concurrent use. Up to four calls at a time use a connection
// each. Beyond that, Get, Has, TTL, Set, Add, Inc and Delete share round trips: while two
// are under way, further calls gather for the next one. With 64 callers this is several
// times as fast. A call whose context ends before that is not sent. See [remote.Group].
// [Options.NoAutoPipeline] turns it off. In a cluster, only calls to the same node share
// round trips: a node that is slow delays its own callers. With
// [Options.ReadFromReplicas], calls do not share round trips.
//
// # Wire format
//
// Values are stored as they are, so other clients read them. Integers are decimal text,
// which INCRBY of other clients accepts.
//
// With [Options.Flask] (CACHE_FLASK), values are stored as Flask-Caching stores them: "!"
// and a pickle, or the decimal text of an integer. A Flask program with the same prefix,
// by default "flask_cache_", then reads the entries of Go, and Go reads those of Flask. A
// value that begins with another character and is not an integer is read as Python's
// bytes, as Flask does. The key of a lease has the prefix of its entry: clear of Flask
// removes it, which ends the lease, and its delete does not.
package redis
