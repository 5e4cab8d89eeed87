package memcached

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// An index that another writer replaces while Scan asks for the size of its value is listed
// as the entry that replaced it.
func TestScanOfIndexReplacedMeanwhile(t *testing.T) {
	f := startFake(t, nil)
	b := start(t, Options{Servers: []string{f.addr}, Spread: true, ChunkSize: 100, MaxChunks: 10})
	must(t, b.Set(t.Context(), "k", largeValue(450), 20*time.Hour))
	f.answers(func(_ int, command string) string {
		if strings.HasPrefix(command, "mg k v ") {
			f.store("k", entry{value: "small", expiry: 60})
		}
		return ""
	})
	var got []driver.Entry
	for e, err := range b.Scan(t.Context(), "") {
		must(t, err)
		got = append(got, e)
	}
	if want := []driver.Entry{{Key: "k", TTL: time.Minute, Size: 5}}; !slices.Equal(got, want) {
		t.Errorf("%v; want %v", got, want)
	}
}
