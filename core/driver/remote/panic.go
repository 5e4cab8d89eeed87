package remote

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// PanicError is the error of all callers of a batch whose Send panicked, and of a
// call that panicked in [Parallel]. Both run in goroutines that belong to no caller,
// so that nobody could recover from the panic.
type PanicError struct {
	Value any    // of the panic
	Stack []byte // of the goroutine that panicked
}

// Error names the value of the panic. It does not include the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic in a batch of requests: %v", e.Value) }

// Unwrap returns the value of the panic if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var errExited = errors.New("the goroutine of a batch of requests exited before it had a reply")

// guard stores the error of call in err: a [*PanicError] if call panics, and
// errExited if it calls [runtime.Goexit], which then ends the goroutine.
func guard(err *error, call func() error) {
	*err = errExited
	defer func() {
		if v := recover(); v != nil {
			*err = &PanicError{v, debug.Stack()}
		}
	}()
	*err = call()
}

// resume runs work in this goroutine, and again in another one whenever
// [runtime.Goexit] ends it, until work returns.
func resume(work func(), start func(func())) {
	returned := false
	defer func() {
		if !returned {
			start(func() { resume(work, start) })
		}
	}()
	work()
	returned = true
}
