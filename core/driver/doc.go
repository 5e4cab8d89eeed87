// Package driver is for authors of cache backends and of wrappers around them, as
// database/sql/driver is for authors of database drivers. Programs import package
// cache, which re-exports the errors that they match.
//
// A backend implements the six methods of [Backend] and, where its store can do
// better than the fallback, the optional interfaces beside it. It makes itself
// known with [Register], and declares each of its settings once, as struct tags;
// see [Info]. A wrapper embeds [Operations], which [Resolve] makes of any backend,
// and overrides the methods that it changes.
//
// Package remote, below this one, holds what every store behind a socket needs.
// The module conformance checks the result.
package driver
