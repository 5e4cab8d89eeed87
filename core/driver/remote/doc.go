// Package remote holds what every backend behind a socket needs, for authors of
// backends: the classification of I/O errors ([Outcome]), the coalescing of callers
// into shared round trips ([Group]), batches side by side ([Parallel]) and
// addresses. It requires nothing but the standard library.
//
// A backend marks what failed before a byte of its request was sent with [Unsent],
// adds a table of its server's replies, and leaves the rest to Outcome.
package remote
