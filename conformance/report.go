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

// Outcome is how a case ended.
type Outcome string

// The outcomes.
const (
	Pass        Outcome = "pass"
	Fail        Outcome = "fail"
	Unsupported Outcome = "unsupported" // the backend declares that it does not support it
	Waived      Outcome = "waived"      // fails, as the harness declares in Waived
	Skipped     Outcome = "skipped"     // not run, because of -short or because the store is shared
	Error       Outcome = "error"       // the harness or the server failed, so the rule could not be judged
)

// Result is the outcome of one case.
type Result struct {
	ID          string        `json:"id"`
	Name        string        `json:"name"`
	Rule        string        `json:"rule"`
	Outcome     Outcome       `json:"outcome"`
	Reason      string        `json:"reason,omitempty"`
	Cause       string        `json:"cause,omitempty"` // the ID of another failed rule that explains this failure
	Provisional bool          `json:"provisional,omitempty"`
	Duration    time.Duration `json:"duration_ns"`
}

// Report is the outcome of all cases for one backend. Its JSON form is what
// CONFORMANCE_REPORT writes.
type Report struct {
	Suite         string           `json:"suite"` // version
	Backend       string           `json:"backend"`
	Server        string           `json:"server,omitempty"`
	ServerVersion string           `json:"server_version,omitempty"`
	Seed          uint64           `json:"seed"`
	Started       time.Time        `json:"started"`
	Slow          bool             `json:"slow,omitempty"` // as declared: fewer modes and repetitions
	Features      []Support        `json:"features"`       // all features, in the order of their constants
	Limits        Limits           `json:"limits"`
	Traits        map[Trait]string `json:"traits,omitempty"` // as declared, with the reasons
	Results       []Result         `json:"results"`
}

// Support says whether a backend supports a feature.
type Support struct {
	Feature Feature `json:"feature"`
	Outcome Outcome `json:"outcome"`          // Pass, Unsupported, or Skipped if it could not be tried
	Reason  string  `json:"reason,omitempty"` // unless Pass
}

// OK reports whether no case failed or ended in an error, apart from provisional
// cases.
func (r Report) OK() bool {
	return !slices.ContainsFunc(r.Results, func(r Result) bool {
		return !r.Provisional && (r.Outcome == Fail || r.Outcome == Error)
	})
}

// Count returns the number of cases that ended in outcome.
func (r Report) Count(outcome Outcome) int {
	n := 0
	for _, result := range r.Results {
		if result.Outcome == outcome {
			n++
		}
	}
	return n
}

// String returns the number of cases by outcome, in one line.
func (r Report) String() string {
	return fmt.Sprintf("%s: %d pass, %d fail, %d unsupported, %d waived, %d skipped, %d error (suite %s, seed %d)", r.Backend,
		r.Count(Pass), r.Count(Fail), r.Count(Unsupported), r.Count(Waived), r.Count(Skipped), r.Count(Error), r.Suite, r.Seed)
}

// WriteFile writes the report as JSON to a file in dir, which it creates, and
// returns the path of the file. The file is named after the backend.
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
