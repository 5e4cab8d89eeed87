package conformance

import (
	"errors"
	"testing"

	"github.com/cachebackends/cachebackends/conformance/proxy"
)

// A call that succeeds may have lost no reply. A backend that always succeeds is correct.
func TestUntilLost(t *testing.T) {
	p, err := proxy.New("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	w := proxied{Proxy: p, t: &attempt{}}
	for successes, want := range map[int]int{0: 1, 2: 3, 100: 5} {
		tries := 0
		w.untilLost(func(i int) error {
			if i != tries {
				t.Errorf("try %d has the number %d", tries, i)
			}
			if tries++; tries > successes {
				return errors.New("lost")
			}
			return nil
		})
		if tries != want {
			t.Errorf("%d tries with %d successes; want %d", tries, successes, want)
		}
	}
}
