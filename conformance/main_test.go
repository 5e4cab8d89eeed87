package conformance_test

import (
	"flag"
	"os"
	"os/exec"
	"testing"
)

// TestMain lets more tests run at once than there are processors: those that are
// parallel mostly wait. Those that need the processors, the mutants, are not parallel;
// they come first and run their cases beside each other.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16")
	os.Exit(m.Run())
}

// alone reports whether t runs in a process of its own. Otherwise it runs t in one, beside
// the other tests, and adopts its result: for a test that changes the whole process.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv("CONFORMANCE_CHILD") == t.Name() {
		return true
	}
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "CONFORMANCE_CHILD="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	return false
}
