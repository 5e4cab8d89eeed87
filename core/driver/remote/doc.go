// Package remote is for authors of backends whose store is a server. It has what they
// share: the classification of I/O errors ([Outcome]), the coalescing of concurrent
// callers into shared round trips ([Group]), the parallel requests of a batch
// ([Parallel], [Many]) and functions for addresses. It requires only the standard library and
// package driver.
//
// A backend marks an error as [Unsent] if it happened before a byte of the request was
// sent. It classifies the error replies of its server, and leaves all other errors to
// Outcome.
package remote
