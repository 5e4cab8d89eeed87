// Package integration runs the conformance suite over every backend of this
// project. It is a module of its own, which nobody imports and which is never
// tagged, so that what it needs reaches no user of a backend.
package integration
