package simple

// NoLimit as [Options.Threshold] turns off the bound on the number of entries.
const NoLimit = -1

// Options configures [New]. The zero value is ready to use.
type Options struct {
	// Threshold is the maximum number of entries. 0 means no limit if MaxBytes is
	// given, and 500 otherwise, the default of Flask-Caching; [NoLimit] turns the
	// bound off.
	Threshold int `setting:"CACHE_THRESHOLD" default:"500" min:"-1"`

	// MaxBytes is the most memory that the entries may take, in bytes, with their keys
	// and their overhead of about 100 bytes each. A value that does not fit into it is
	// refused with [driver.ErrTooLarge]. 0 means no bound in bytes.
	MaxBytes int64 `setting:"CACHE_MAX_BYTES" min:"0"`

	// Weight returns the memory that a Go value takes, in bytes, if it is stored without
	// encoding. Without Weight such a value counts as 256 bytes. Weight is called
	// once for each value that is stored, and must be safe for concurrent use.
	Weight func(value any) int64
}
