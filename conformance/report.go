package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Outcome is what became of a case.
type Outcome string

// The five outcomes.
const (
	Pass        Outcome = "pass"
	Fail        Outcome = "fail"
	Unsupported Outcome = "unsupported" // the backend cannot, and says so
	Skipped     Outcome = "skipped"     // it would take time that -short does not give
	Error       Outcome = "error"       // the harness or the server is broken: nothing can be said
)

// Result is the outcome of one case.
type Result struct {
	ID          string        `json:"id"`
	Name        string        `json:"name"`
	Rule        string        `json:"rule"`
	Outcome     Outcome       `json:"outcome"`
	Reason      string        `json:"reason,omitempty"`
	Provisional bool          `json:"provisional,omitempty"`
	Duration    time.Duration `json:"duration_ns"`
}

// Report is the outcome of all cases for one backend.
type Report struct {
	Suite         string    `json:"suite"` // version
	Backend       string    `json:"backend"`
	Server        string    `json:"server,omitempty"`
	ServerVersion string    `json:"server_version,omitempty"`
	Seed          uint64    `json:"seed"`
	Started       time.Time `json:"started"`
	Features      []Support `json:"features"` // all of them, in the order of their declaration
	Limits        Limits    `json:"limits"`
	Results       []Result  `json:"results"`
}

// Support says whether a backend has a feature.
type Support struct {
	Feature Feature `json:"feature"`
	Outcome Outcome `json:"outcome"`          // Pass: it has, Unsupported: it has not, Skipped: nobody may try
	Reason  string  `json:"reason,omitempty"` // unless Pass
}

// Limits are those of the [Harness]: what the cases hold the backend to.
type Limits struct {
	MaxKey      int           `json:"max_key,omitempty"`   // bytes, prefix included; 0: none up to 20 KiB
	MaxValue    int           `json:"max_value,omitempty"` // bytes; 0: none up to 16 MiB
	Resolution  time.Duration `json:"resolution_ns"`       // how long an entry may be read after its end
	CounterMin  *int64        `json:"counter_min,omitempty"`
	RefusedKeys []string      `json:"refused_keys,omitempty"` // quoted, long ones cut
}

// OK reports whether no case failed and none ended in an error. Provisional
// cases do not count.
func (r Report) OK() bool {
	return !slices.ContainsFunc(r.Results, func(r Result) bool {
		return !r.Provisional && (r.Outcome == Fail || r.Outcome == Error)
	})
}

// Count returns how many cases ended in outcome.
func (r Report) Count(outcome Outcome) int {
	n := 0
	for _, result := range r.Results {
		if result.Outcome == outcome {
			n++
		}
	}
	return n
}

// String is one line of numbers.
func (r Report) String() string {
	return fmt.Sprintf("%s: %d pass, %d fail, %d unsupported, %d skipped, %d error (suite %s, seed %d)", r.Backend,
		r.Count(Pass), r.Count(Fail), r.Count(Unsupported), r.Count(Skipped), r.Count(Error), r.Suite, r.Seed)
}

// WriteFile writes the report as JSON to a file in dir that is named after the
// backend, and returns its path.
func (r Report) WriteFile(dir string) (path string, err error) {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(dir, strings.ReplaceAll(r.Backend, "/", "_")+".json")
	return path, os.WriteFile(path, append(data, '\n'), 0o644)
}
