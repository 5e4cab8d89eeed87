package simple

import "fmt"

// Options configures [New]. The zero value is ready to use.
type Options struct {
	// Threshold is the most entries the cache holds. 0 means [DefaultThreshold],
	// [NoLimit] that it grows with whatever is stored.
	Threshold int
}

const (
	// DefaultThreshold is that of Flask-Caching.
	DefaultThreshold = 500
	// NoLimit as Options.Threshold turns eviction off.
	NoLimit = -1
)

func (o Options) threshold() (int, error) {
	switch {
	case o.Threshold == 0:
		return DefaultThreshold, nil
	case o.Threshold < NoLimit:
		return 0, fmt.Errorf("simple: Threshold is %d: want a number of entries, 0 for %d, or NoLimit", o.Threshold, DefaultThreshold)
	}
	return o.Threshold, nil
}
