//go:build race

package conformance_test

import "testing"

// skipUnderRace skips a test of defects. Some of them are data races, which the race
// detector reports as failures of all tests that run at the same time. The rules
// themselves run under the detector over stores without defects.
func skipUnderRace(t *testing.T) { t.Skip("the race detector reports defects before the rules do") }
