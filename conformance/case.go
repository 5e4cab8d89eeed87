package conformance

import "slices"

// Version is the version of the suite. A case says in Since which one brought it.
const Version = "0.1.0"

// Case is one rule of the contract and how it is tested.
type Case struct {
	ID          string    // such as "BAS-1"; never given to another rule
	Name        string    // of the subtest, after the ID
	Rule        string    // what every backend keeps
	Why         string    // what goes wrong where it does not
	Features    []Feature // what the backend must be able to do
	Since       string    // the version of the suite
	Provisional bool      // new: its failure is reported and breaks no build
	Run         func(*T)

	traits trait
	when   func(Harness) (reason string) // why it does not apply, "" where it does
}

// trait tells the runner how a case wants to be run.
type trait uint

const (
	waits     trait = 1 << iota // time passes in it
	cacheOnly                   // it is about Cache, or about what Cache adds: not on the bare Backend
	once                        // one mode is enough: it is costly, or has no operation that the modes vary
	null                        // it holds for a cache that keeps nothing, too
	nullOnly                    // it holds for nothing else
	clears                      // it clears the whole store, except in the mode with a prefix
	private                     // not for Check: it closes the store, strains it, or goes to its limits
)

func (c Case) is(x trait) bool { return c.traits&x != 0 }

// Cases returns all cases, in the order of the contract.
func Cases() []Case {
	all := slices.Concat(basicCases, ttlCases, keyCases, valueCases, batchCases, addCases, clearCases,
		counterCases, evictionCases, concurrencyCases, contextCases, closeCases, persistenceCases,
		configCases, errorCases, nullCases)
	for i := range all {
		if all[i].Since == "" {
			all[i].Since = "0.1.0"
		}
	}
	return all
}

// mode is a way to run a case.
type mode string

const (
	plain    mode = "plain"    // through Cache
	prefixed mode = "prefix"   // through Cache with a prefix, beside neighbours that must stay as they are
	fallback mode = "fallback" // through Cache, the optional methods that have a fallback hidden
	bare     mode = "bare"     // on the Backend itself
)

func (c Case) modes() []mode {
	switch {
	case c.is(once):
		return []mode{plain}
	case c.is(cacheOnly):
		return []mode{plain, prefixed, fallback}
	}
	return []mode{plain, prefixed, fallback, bare}
}
