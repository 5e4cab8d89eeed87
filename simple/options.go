package simple

import "fmt"

// Options configures [New]. The zero value is ready to use.
type Options struct {
	// Threshold is the maximum number of entries: 0 means [DefaultThreshold],
	// [NoLimit] turns eviction off.
	Threshold int
}

const (
	// DefaultThreshold is the default of Flask-Caching.
	DefaultThreshold = 500
	// NoLimit as [Options.Threshold] turns eviction off.
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
