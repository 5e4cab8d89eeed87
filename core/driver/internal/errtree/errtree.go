// Package errtree asks questions about every error in a tree of wrapped errors, where
// errors.As only finds the first one of a type.
package errtree

import "errors"

// Any reports whether match is true for err or for an error that it wraps.
func Any(err error, match func(error) bool) bool {
	if err == nil || match(err) {
		return err != nil
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if Any(err, match) {
				return true
			}
		}
	case interface{ Unwrap() error }:
		return Any(e.Unwrap(), match)
	}
	return false
}

// IsTimeout reports whether any error in err is a timeout: one with a method Timeout
// that returns true, as context.DeadlineExceeded and errors of package net have it.
func IsTimeout(err error) bool {
	isTimeout := func(err error) bool {
		timeout, ok := err.(interface{ Timeout() bool })
		return ok && timeout.Timeout()
	}
	var first interface{ Timeout() bool } // also one that only a method As leads to
	return Any(err, isTimeout) || errors.As(err, &first) && first.Timeout()
}
