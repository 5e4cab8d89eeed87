package conformance

import "slices"

// Version is the version of the suite. [Case.Since] names the version that
// introduced a rule.
const Version = "0.1.0"

// Case is one rule of the contract and its test.
type Case struct {
	ID          string    // such as "BAS-1"; never reused for another rule
	Name        string    // the name of the subtest, after the ID
	Rule        string    // what every backend does
	Why         string    // what goes wrong for a user if a backend does not
	Features    []Feature // what the backend must support for the rule to apply
	Since       string    // the version of the suite that introduced the rule
	Provisional bool      // new: a failure is reported and does not fail the test

	run   func(t *attempt)
	flags flag
	// notApplicable returns why the rule does not apply to a harness, "" if it does.
	notApplicable func(h Harness) (reason string)
}

// flag says what a case needs from the runner.
type flag uint

const (
	needsTime      flag = 1 << iota // the case lets time pass
	needsOwnStore                   // not for Check: the case closes the store, loads it heavily or tests its limits
	emptiesStore                    // the case clears the whole store, except in the mode with a prefix
	cacheOnly                       // the rule is about Cache: the mode bare does not apply
	oneModeOnly                     // the case is expensive, or calls nothing that the modes vary
	alsoNull                        // the rule also applies to a cache that stores nothing
	nullOnly                        // the rule applies only to a cache that stores nothing
	alsoShort                       // with needsTime: the case waits in real time even with -short
	usesFreeTime                    // the case lets time pass where that takes none, and hardly any elsewhere
	measuresMemory                  // no other such case of the process runs at the same time
)

func (c Case) has(f flag) bool { return c.flags&f != 0 }

// Cases returns all cases in the order of the contract.
func Cases() []Case {
	all := slices.Concat(declarationCases, basicCases, damageCases, ttlCases, keyCases, valueCases, memoryCases, batchCases, addCases, deleteCases, clearCases,
		counterCases, appendCases, lifeCases, watchCases, statsCases, scanCases, leaseCases, swapCases, evictionCases, concurrencyCases, contextCases, closeCases, persistenceCases,
		configCases, errorCases, modelCases, nullCases)
	for i := range all {
		if all[i].Since == "" {
			all[i].Since = "0.1.0"
		}
	}
	return all
}

// mode is one way to call the backend.
type mode string

const (
	plain    mode = "plain"    // through Cache
	prefixed mode = "prefix"   // through Cache with a prefix, beside keys outside the prefix that must not change
	fallback mode = "fallback" // through Cache, with the optional methods that have a fallback hidden
	bare     mode = "bare"     // on the Backend itself
)

// modes returns the modes in which c runs. For a slow store these are plain and bare, with
// -short only plain, and for a rule that clears the store also the mode with a prefix,
// which clears otherwise.
func (c Case) modes(slow, short bool) []mode {
	switch {
	case c.has(oneModeOnly):
		return []mode{plain}
	case slow && c.has(cacheOnly):
		return []mode{plain}
	case slow && short && c.has(emptiesStore):
		return []mode{plain, prefixed}
	case slow && short:
		return []mode{plain}
	case slow && c.has(emptiesStore):
		return []mode{plain, prefixed, bare}
	case slow:
		return []mode{plain, bare}
	case c.has(cacheOnly):
		return []mode{plain, prefixed, fallback}
	}
	return []mode{plain, prefixed, fallback, bare}
}
