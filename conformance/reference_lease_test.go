package conformance_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// lease is what the reference keeps for a key without an entry. Each method that
// writes or removes an entry removes the lease of its key.
type lease struct {
	token   string
	expires time.Time
}

// leased returns the token of the lease of key, "" if there is none.
func (r *reference) leased(key string) string {
	if l, ok := r.leases[key]; ok && time.Now().Before(l.expires) {
		return l.token
	}
	return ""
}

func (r *reference) Lease(_ context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return nil, false, "", err
	}
	if e, ok := r.live(key); ok {
		return e.value, true, "", nil
	}
	if r.leased(key) != "" {
		return nil, false, "", nil
	}
	r.lastToken++
	token := strconv.Itoa(r.lastToken)
	r.leases[key] = lease{token, time.Now().Add(hold)}
	return nil, false, token, nil
}

func (r *reference) Fill(_ context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return false, err
	}
	if token == "" || token != r.leased(key) {
		return false, r.checkValue(value)
	}
	err := r.put(key, value, ttl)
	return err == nil, err
}

func (r *reference) Release(_ context.Context, key, token string) error {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return err
	}
	if token == r.leased(key) {
		delete(r.leases, key)
	}
	return nil
}

func (r *reference) CompareAndSwap(_ context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	defer r.mu.Unlock()
	if err := r.enterKey(key); err != nil {
		return false, err
	}
	if e, ok := r.live(key); !ok || !bytes.Equal(e.value, old) {
		return false, r.checkValue(value)
	}
	err := r.put(key, value, ttl)
	return err == nil, err
}

// leasedKeys returns the keys with a lease, for tests of what the suite leaves behind.
func (r *reference) leasedKeys() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.leases))
}

var (
	_ driver.Leaser  = (*reference)(nil)
	_ driver.Swapper = (*reference)(nil)
)
