package integration

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets several servers be tested at a time, for a run of the suite mostly
// waits. Tests that measure time are not parallel, and come before.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", "4")
	flag.Parse()
	os.Exit(m.Run())
}
