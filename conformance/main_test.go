package conformance_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets more tests run at once than there are processors: many of them wait.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "12")
	os.Exit(m.Run())
}
