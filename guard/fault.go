package guard

import (
	"context"
	"errors"

	"github.com/cachebackends/cachebackends/core/driver"
)

// verdict is what the result of a call says about the store.
type verdict int

const (
	undecided verdict = iota // nothing: the store was perhaps not asked
	answered                 // the store works
	fault                    // the store did not answer as it should
)

// mistakes are found before the store is asked, or say that nothing was asked.
var mistakes = []error{
	driver.ErrClosed, driver.ErrInvalidKey, driver.ErrInvalidTimeout, driver.ErrInvalidSettings, driver.ErrTooLarge,
	errors.ErrUnsupported, context.Canceled, errOpen,
}

// answers can only come from a store that works.
var answers = []error{driver.ErrNotInteger, driver.ErrCorrupt, driver.ErrFull, driver.ErrAuth}

// faults are faults also if they match an answer or a mistake, too.
var faults = []error{driver.ErrUnavailable, driver.ErrUnknownOutcome}

// verdictOf returns what err, the result of one key or of a call, says about the store.
func verdictOf(err error) verdict {
	switch {
	case err == nil:
		return answered
	case errors.Is(err, errOpen) || errors.Is(err, driver.ErrClosed):
		return undecided
	case isAny(err, faults):
		return fault
	case isAny(err, mistakes):
		return undecided
	case isAny(err, answers):
		return answered
	}
	return fault
}

func isAny(err error, targets []error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
