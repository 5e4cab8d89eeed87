package conformance

import "slices"

// shrink returns a shorter and simpler sequence that fails as well. fails returns the
// steps up to the failure, or nil.
func shrink(steps []step, fails func(steps []step) []step) []step {
	for size := len(steps) / 2; size > 0; size /= 2 {
		for i := 0; i+size <= len(steps); {
			if shorter := fails(slices.Delete(slices.Clone(steps), i, i+size)); shorter != nil {
				steps = shorter
			} else {
				i += size
			}
		}
	}
	for i := 0; i < len(steps); {
		simplest := true
		for _, s := range steps[i].simpler() {
			simpler := slices.Clone(steps)
			simpler[i] = s
			if failed := fails(simpler); failed != nil {
				steps, simplest = failed, false
				break
			}
		}
		if simplest {
			i++
		}
	}
	return steps
}
