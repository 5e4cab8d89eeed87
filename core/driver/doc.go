// Package driver is for authors of cache backends and of wrappers around them, as
// database/sql/driver is for authors of database drivers. Programs import package
// cache, which re-exports the errors that they match.
//
// A backend implements the six methods of [Backend] and, where its store can do
// better than the fallback, the optional interfaces beside it. It calls [Register] in
// an init function and declares each of its settings once, as a struct tag; see
// [Info]. A wrapper embeds the [Operations] that [Resolve] returns for any backend,
// and overrides the methods that it changes.
//
// Package remote, in a subdirectory, has the code that backends of network servers
// share. The module conformance tests any backend or wrapper.
package driver
