// Package integration runs the conformance suite over every backend of this
// project. It is a module of its own that no module imports and that is never tagged,
// so that users of a backend do not download its dependencies.
package integration
