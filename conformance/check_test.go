package conformance_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
)

func ExampleCheck() {
	report := conformance.Check(context.Background(), newReference())
	for _, r := range report.Results {
		if r.Outcome == conformance.Fail || r.Outcome == conformance.Error {
			fmt.Println(r.ID, r.Rule, r.Reason)
		}
	}
	fmt.Println(report.OK())
	// Output: true
}

func BenchmarkReference(b *testing.B) { conformance.Bench(b, newReference()) }
