package simple

import "testing"

// newBackend returns a Backend that is closed when the test ends.
func newBackend(t testing.TB, threshold int) *Backend {
	t.Helper()
	b, err := New(t.Context(), Options{Threshold: threshold})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
