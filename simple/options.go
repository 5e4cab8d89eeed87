package simple

// NoLimit as [Options.Threshold] turns eviction off.
const NoLimit = -1

// Options configures [New]. The zero value is ready to use.
type Options struct {
	// Threshold is the maximum number of entries. 0 means 500, the default of
	// Flask-Caching; [NoLimit] turns eviction off.
	Threshold int `setting:"CACHE_THRESHOLD" default:"500" min:"-1"`
}
