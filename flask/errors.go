package flask

import (
	"errors"
	"fmt"

	"github.com/cachebackends/cachebackends/core/driver"
)

// corruptError is an ErrCorrupt. Its text never quotes a value.
type corruptError struct{ detail string }

func corrupt(format string, args ...any) error { return &corruptError{fmt.Sprintf(format, args...)} }

func (e *corruptError) Error() string { return driver.ErrCorrupt.Error() + ": " + e.detail }
func (e *corruptError) Unwrap() error { return driver.ErrCorrupt }

// Detail returns the text that a cache adds to its own error.
func (e *corruptError) Detail() string { return e.detail }

// inField adds the name of a field to an error.
func inField(name string, err error) error {
	var inner *corruptError
	if !errors.As(err, &inner) {
		return err
	}
	return corrupt("%s: %s", name, inner.detail)
}

// maxName limits the names of globals in errors, which are data of a stranger.
const maxName = 64

func quoteName(module, name string) string {
	full := module + "." + name
	if len(full) > maxName {
		full = full[:maxName] + "..."
	}
	return fmt.Sprintf("%q", full)
}
