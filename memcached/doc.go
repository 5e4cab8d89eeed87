// Package memcached is the cache backend for memcached 1.6: one server or several, with
// the text protocol or the binary protocol with SASL. It requires
// github.com/bradfitz/gomemcache and nothing else.
//
// Importing the package registers CACHE_TYPE "memcached", "saslmemcached" and
// "spreadsaslmemcached". [New] opens the same backend from [Options]. [NewFromClient]
// uses a gomemcache client of the application.
//
// # Errors and retries
//
// A call returns at the deadline of its context, even if it uses several servers, and
// within about 20 ms of a cancellation. The connection on which it waited is closed.
// Without a deadline, a call waits at most Options.ReadTimeout for a connection and again
// for the reply, however many other callers wait. After such a timeout the idle
// connections to that server are closed as well: a firewall may have forgotten them.
//
// If the connection breaks, a read is sent once more. Writes and Lease are sent at most
// once: if the reply is lost, the error is [driver.ErrUnknownOutcome].
// [driver.ErrUnavailable] from a write means that nothing was executed.
//
// An invalid key fails a whole batch before anything is sent. Otherwise a [driver.BatchError]
// names the keys that failed, and the other keys have their results. A server that fails
// ends the batch for its own keys only. If a server rejects items of SetMany, those whose
// keys are absent are added once more, one by one.
//
// A SERVER_ERROR of a proxy that cannot reach its memcached is [driver.ErrUnavailable]
// for reads, and for writes if the reason is a refused connection.
//
// If the server sends more bytes than the replies, the connection is closed. A gomemcache
// client reads such bytes as the next reply.
//
// # Servers
//
// A host name is one server. If it has several addresses, all connections go to one of
// them, at first the lowest, as long as the name service lists it; every process makes the
// same choice. An address of IPv4 and one of IPv6 are the same server. Options.Servers can
// list the addresses to use all servers behind a name.
//
// Connections to a server that Options.Selector does not list any more are closed when
// another server is used for the first time, or within a minute of use.
//
// # Expiry
//
// The server counts in seconds. An entry expires up to 4 s later than requested, never
// earlier, and at the latest on 2038-01-19, unless it never expires. TTL returns the
// remaining TTL in the server's seconds. GetWithTTL returns up to 2 s less, because the
// entry is present at least that long; the shortest TTL that it returns is 1 ns.
//
// # Limits
//
// Keys have up to 250 bytes with the prefix and contain neither spaces nor control
// characters. Values are at least 512 bytes smaller than Options.MaxItemSize. Larger keys
// and values are rejected before anything is sent.
//
// With Options.Spread a large value is stored in chunks. The item under its own key is an
// index of them, and readers get the whole value or a miss. A small value takes one round
// trip to read, a large one takes two. If a small value replaces a large one, the old
// chunks stay until they expire or are evicted.
//
// The modes other than text have limits:
//
//   - Binary: no TTL, no Scan, no Clear of a prefix, no counters below zero, no leases. If another
//     program leases a key, Add and Delete treat the leased key as present. (The protocol
//     has a command that returns a value and sets its TTL, but none that returns the TTL.)
//   - A gomemcache client: the same, no Stats, and no batches of writes in one round
//     trip. When its context ends, a call returns, but gomemcache continues until its own
//     timeout. It accepts replies of any length.
//
// # Leases
//
// A lease is a placeholder under the key: an item with the flags 1<<17 and a random name,
// which expires at the end of the hold. Every write replaces or removes it, and Fill is one
// compare-and-swap. This package treats the key as absent. Other clients read the name, and
// their add fails.
//
// After a restart the server counts CAS numbers from 1 again. So if Fill has no connection
// that is older than the lease, it reads the placeholder first. A lease whose
// reply is lost remains until the end of the hold.
//
// # Concurrency
//
// A [Backend] is safe for concurrent use. Up to four calls at a time use a connection
// each. Beyond that, calls share round trips: while two are under way, further requests
// gather for the next one. A call whose context ends before that is not sent. Fill,
// CompareAndSwap, values larger than 4 KiB and GetAppend with 16 KiB of unused capacity do
// not share round trips. See [remote.Group].
//
// # Wire format
//
// Values are stored unchanged and without flags, except large ones with Options.Spread, so pylibmc, python-memcached, Dalli and PHP
// read them as bytes or text. Inc accepts decimal integers whatever flags another client
// stored them with, and keeps the flags.
//
// The server pads a number that gets shorter with spaces. With the text protocol, Inc
// leaves no spaces. Every read returns a non-negative integer of up to 20 bytes without
// the spaces after it. A value that looks like that and was stored by Set has the flag
// 1<<16, and is returned unchanged; python-memcached does not read values with this flag.
//
// # Flask
//
// With Options.Flask (CACHE_FLASK), values, flags and placement are those of Flask-Caching
// with pylibmc: a pickle has flag 1 and an integer flag 4. Bytes, text and integers that
// Python stored without pickle are returned as pickles, or as the text of an integer. A
// bool of Python is a number, as pylibmc returns it. A value that pylibmc compressed, or
// with other flags, is [driver.ErrCorrupt]. Leases are not supported, because Flask would
// read their placeholders. The default Distribution is Pylibmc; a gomemcache client keeps
// its own.
//
// With Options.Spread too, values are the pieces of SpreadSASLMemcachedCache: a pickle in
// items of up to 1,048,448 bytes under key.0 to key.31. An integer is a pickle as well,
// which Flask's get reads and Inc counts. The pieces that Go stores for one value have a
// common number in flags that pylibmc ignores, so that Go returns a whole value or a miss;
// Flask may read a mix while a large value is replaced, and so may Go if Python wrote both.
// While Go replaces a large value, other readers may find it absent. Flask uses the key
// itself for add, inc, dec, get_many and set_many: Go reads and counts such an entry if
// there are no pieces, and a Set or Delete removes it. If the key itself and the pieces are
// on different servers, readers may find the entry absent during that Set. A key that ends
// in ".0" to ".31" may be the name of a piece of another key.
package memcached
