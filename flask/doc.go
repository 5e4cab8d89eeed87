// Package flask reads and writes what Flask-Caching and cachelib store, so that a
// program in Go and one in Python can share a cache while routes move from one to the
// other. It has the values ([Codec], [Marshal], [Unmarshal]) and the keys ([ViewKey],
// [MemoKey], [Forget]). It needs only the standard library.
//
// With the setting CACHE_FLASK and the import of this package, [cache.Open] uses [Codec],
// and the backend the prefix and the layout of Flask-Caching.
//
// # Values
//
// Python stores values as pickles. A pickle is the program of a small stack machine,
// which can import and call anything; package flask executes it as data. The opcodes
// and globals that plain values need are on a list (None, bool, int, float, str, bytes,
// bytearray, list, tuple, dict, set, frozenset, datetime, date, timedelta, timezone,
// Decimal, UUID), and any other ends the pickle with an error that names it. Nothing is
// imported or called.
//
// # Limits
//
// Values are nested at most 1,000 levels deep, integers in text have at most 4,300
// digits (the limits of CPython), and the result has at most 16 values per byte of the
// pickle, where eight bytes of a copy count as a value: references to one list, or to one
// text, many times, could otherwise stand for any number of values. Unmarshal allocates less than 400 bytes per byte of the pickle and 64 KiB.
//
// A timedelta must fit in a [time.Duration], 292 years. A time of day, a complex number
// and every class are not plain data. A str with a lone surrogate is an error.
//
// # Other libraries
//
// Two readers were considered. github.com/nlpodyssey/gopickle allocates the length that
// a pickle states before it reads the bytes, so that nine bytes can end the process.
// github.com/kisielk/og-rek does not read protocol 5, which Flask-Caching writes on redis.
// Both represent unknown classes instead of refusing them, have no bound for
// references, and decode into types of their own instead of Go structs.
//
// # Concurrency
//
// All functions are safe for concurrent use.
package flask
