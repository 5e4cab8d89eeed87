package conformance

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
)

// validate returns all errors of the harness itself.
func (h Harness) validate() error {
	var errs []error
	refuse := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf("Harness."+format, args...))
		}
	}
	refuse(h.New == nil, "New is nil")
	for _, f := range slices.Sorted(maps.Keys(h.Unsupported)) {
		refuse(!slices.Contains(features, f), "Unsupported[%q]: no such feature; the features are %q", f, features)
		refuse(h.Unsupported[f] == "", "Unsupported[%s] has no reason; the report shows it to users", f)
		refuse(h.provides(f), "Unsupported[%s] and %s contradict each other: remove one", f, fieldOf[f])
	}
	for _, trait := range slices.Sorted(maps.Keys(h.Traits)) {
		refuse(!isTrait(trait), "Traits[%q]: no such trait", trait)
		refuse(h.Traits[trait] == "", "Traits[%s] has no reason; the report shows it to users", trait)
	}
	for _, id := range slices.Sorted(maps.Keys(h.Waived)) {
		known := slices.ContainsFunc(Cases(), func(c Case) bool { return c.ID == id })
		refuse(!known, "Waived[%q]: no such rule", id)
		refuse(id == declarationsID, "Waived[%s]: correct the declaration instead", id)
		refuse(h.Waived[id] == "", "Waived[%s] has no reason; the report shows it to users", id)
	}
	refuse(h.Bubble && h.Advance != nil, "Bubble and Advance contradict each other: a bubble has its own clock")
	refuse(h.Bubble && h.Faults != nil, "Bubble and Faults contradict each other: a server is not in this process")
	refuse(h.declares(OneHandle) && h.Stores.Reopen == nil, "Traits[OneHandle] needs Stores.Reopen")
	refuse(h.declares(LateEviction) && h.Stores.Bounded == nil, "Traits[LateEviction] needs Stores.Bounded")
	refuse(h.Faults != nil && (h.Faults.Addr == "" || h.Faults.New == nil), "Faults needs Addr and New")
	refuse(h.Faults != nil && h.Faults.CancelBound < 0, "Faults.CancelBound is negative")
	refuse(h.Faults != nil && h.Faults.Recovery < 0, "Faults.Recovery is negative")
	refuse(slices.Contains(h.Secrets, ""), "Secrets contains an empty secret")
	return errors.Join(append(errs, h.Limits.validate()...)...)
}

func (l Limits) validate() (errs []error) {
	refuse := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf("Harness.Limits."+format, args...))
		}
	}
	refuse(l.MaxKey < 0, "MaxKey is negative")
	refuse(l.MaxKey > 0 && l.MaxKey < shortestMaxKey, "MaxKey is %d: the suite needs keys of %d bytes", l.MaxKey, shortestMaxKey)
	refuse(l.MaxValue < 0, "MaxValue is negative")
	refuse(l.MaxEntry < 0, "MaxEntry is negative")
	refuse(l.MaxEntry > 0 && l.MaxValue > 0, "MaxEntry and MaxValue contradict each other: remove one")
	refuse(l.Resolution < 0, "Resolution is negative")
	refuse(l.Staleness < 0, "Staleness is negative")
	refuse(l.CounterMin != nil && *l.CounterMin > 0, "CounterMin is positive: a counter starts at 0")
	refuse(slices.Contains(l.RefusedKeys, ""), "RefusedKeys contains the empty key, which every backend rejects")
	if l.KeyAlphabet != "" {
		for _, c := range lettersAndDigits {
			refuse(!strings.ContainsRune(l.KeyAlphabet, c), "KeyAlphabet lacks %q: the suite needs the lower-case letters and the digits", c)
		}
	}
	return errs
}

const (
	// shortestMaxKey is the length of the longest keys that most rules use.
	shortestMaxKey   = 100
	lettersAndDigits = "abcdefghijklmnopqrstuvwxyz0123456789"
)

// seedFromEnv returns the seed of CONFORMANCE_SEED, or a random one.
func seedFromEnv() (uint64, error) {
	text, given := os.LookupEnv("CONFORMANCE_SEED")
	if !given || text == "" {
		return rand.Uint64(), nil
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("CONFORMANCE_SEED is %q: want the number that a failure prints", text)
	}
	return seed, nil
}
