package guard

import "time"

// NoBudget as [Options.Budget] leaves calls without a time limit of their own. A call that
// ends at the deadline of its caller is then no fault.
const NoBudget = -1

// Options configures [New]. The zero value is ready to use.
type Options struct {
	// Budget is the longest time of one call, batches included. An earlier deadline
	// of the caller counts as before. 0 means 1 s; [NoBudget] turns it off.
	Budget time.Duration `option:"budget" default:"1s" min:"-1ns" help:"longest time of one call"`

	// Faults is the number of consecutive faults that opens the breaker. 0 means 5.
	Faults int `option:"faults" default:"5" min:"1" help:"number of consecutive faults that opens the breaker"`

	// Pause is the time from the opening of the breaker, or from a failed probe, to
	// the next probe. 0 means 1 s.
	Pause time.Duration `option:"pause" default:"1s" min:"1ms" help:"time from the opening of the breaker to the next probe"`

	// Share, greater than 0 and at most 1, also opens the breaker if at least this part
	// of the calls within Window, and at least Faults of them, were faults. 0 means that
	// only consecutive faults count.
	Share float64 `option:"share" min:"0" max:"1" help:"part of the calls within window that opens the breaker if they are faults; 0 is off"`

	// Window is the time for which Share counts calls. 0 means 10 s.
	Window time.Duration `option:"window" default:"10s" min:"10ms" help:"time for which share counts calls"`
}
