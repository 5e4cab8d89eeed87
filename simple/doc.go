// Package simple keeps a cache in the memory of the process: bounded, safe for
// concurrent use, with values as bytes or as they are.
//
//	backend, err := simple.New(ctx, simple.Options{})
//	c := cache.New(backend)
//
// or, by configuration, CACHE_TYPE=simple and CACHE_THRESHOLD.
//
// # What it promises
//
//   - There are never more than Options.Threshold entries, and no key is evicted
//     before there are that many. When a new entry needs room, one goes that has
//     expired; where there is none, S3-FIFO chooses: those that were not used since
//     they came go first, so that a scan over many keys does not empty the cache.
//     An entry is never the victim of its own Set, and one that never expires is
//     treated like any other.
//   - An entry is there until its deadline and not after it, to the precision of
//     the monotonic clock. Changes of the machine's time do not matter. (Only where
//     the whole process was stopped for a second or more may a read within
//     milliseconds of waking still see what expired meanwhile.)
//   - Operations on one key are linearizable. Reads take no lock and allocate
//     nothing. Giving a key another value takes no lock either, unless it shortens
//     the life of the entry; adding and removing keys locks one shard (there is one
//     below 2,000 entries, and up to 16). A write allocates one object beside the
//     value.
//
// In a cache of several shards, expired entries go first, and used ones last, among
// the keys of the shard that needs room. The search for an expired entry ends after
// 4,096 others: in a large cache a live one may then go before it.
//
// Memory is taken as entries come: about 100 bytes for each beside its key and
// value. What has expired is not collected before its room is needed.
package simple
