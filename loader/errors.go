package loader

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

var (
	// ErrMissing is returned by a load, and then by [Loader.Get], if the source has no
	// value for the key. It may be wrapped. See [Policy.Missing].
	ErrMissing = errors.New("the source has no value for the key")

	// ErrLate means that a load took longer than [Policy.Limit].
	ErrLate = errors.New("load exceeded its limit")
)

var errGoexit = errors.New("load ended its goroutine with runtime.Goexit")

// isMistake reports whether the caller caused an error of the cache. A load would not
// help. Other errors are failures of the store.
func isMistake(err error) bool {
	return err != nil && (errors.Is(err, cache.ErrInvalidKey) || errors.Is(err, cache.ErrInvalidTimeout) ||
		errors.Is(err, cache.ErrClosed) || driver.IsUnsupported(err))
}

// loadPanic is a panic of load with its stack.
type loadPanic struct {
	value any
	stack []byte
}

func (p *loadPanic) Error() string {
	return fmt.Sprintf("loader: load panicked: %v\n\n%s", p.value, p.stack)
}

func (p *loadPanic) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// panicOf returns the value with which the callers that wait panic after load panicked
// with p: an error is unchanged, because callers may compare it, as net/http does with
// http.ErrAbortHandler. Other values and runtime errors get the stack of the load.
func panicOf(p any) any {
	err, ok := p.(error)
	if _, isRuntime := p.(runtime.Error); ok && !isRuntime {
		return err
	}
	return &loadPanic{p, debug.Stack()}
}

// errorOf returns the panic p, from panicOf, as the error of callers that did not wait
// for the load.
func errorOf(p any) error {
	if already, ok := p.(*loadPanic); ok {
		return already
	}
	return fmt.Errorf("loader: load panicked: %w", p.(error))
}
