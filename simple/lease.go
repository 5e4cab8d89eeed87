package simple

import (
	"context"
	"crypto/rand"
	"maps"
	"strings"
	"time"
)

// lease is the permission to load an absent key.
type lease struct {
	token string
	end   int64 // on the clock of the Backend
}

// leases are the leases of one shard, guarded by its lock. A key in the table has no
// lease: Lease removes an expired node, and add ends the lease. So the lock-free
// replacement of a node need not look for one.
type leases struct {
	byKey map[string]lease
	last  int64 // no lease ends later
	full  int   // number of leases that makes grant remove those which have ended
}

// Lease returns the bytes of key, which the caller must not modify, or a token if the
// caller may load them. It removes an entry stored by SetValue or AddValue.
func (b *Backend) Lease(_ context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	n, token, err := b.lease(key, hold, true)
	if n == nil {
		return nil, false, token, err
	}
	value, ok := n.bytes()
	return value, ok, "", nil
}

// LeaseValue is Lease for a Go value. It removes an entry stored as bytes.
func (b *Backend) LeaseValue(_ context.Context, key string, hold time.Duration) (any, bool, string, error) {
	n, token, err := b.lease(key, hold, false)
	if n == nil {
		return nil, false, token, err
	}
	return n.value, true, "", nil
}

// Fill stores value under key if token is its lease. It keeps the slice.
func (b *Backend) Fill(_ context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	n := &node{key: key, deadline: b.clock.deadline(ttl)}
	n.setBytes(value)
	return b.fill(n, token)
}

// FillValue stores value under key without encoding it if token is the lease of key.
func (b *Backend) FillValue(_ context.Context, key, token string, value any, ttl time.Duration) (bool, error) {
	return b.fill(b.valueNode(key, value, ttl), token)
}

// Release ends the lease of key if token is that lease.
func (b *Backend) Release(_ context.Context, key, token string) error {
	s := b.shard(b.hasher.hash(key))
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.open()
	if s.leases.byKey[key].token == token {
		delete(s.leases.byKey, key)
	}
	return err
}

// lease returns the live node of key, or a token. An entry of the other kind is absent.
func (b *Backend) lease(key string, hold time.Duration, bytes bool) (*node, string, error) {
	hash := b.hasher.hash(key)
	if n, _ := b.find(hash, key); n != nil && n.isBytes() == bytes {
		n.used()
		return n, "", nil
	}
	s := b.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.open()
	if err != nil {
		return nil, "", err
	}
	now := b.clock.now()
	for {
		n, _ := t.find(hash, key)
		if n == nil {
			return nil, s.leases.grant(key, now, hold), nil
		}
		if now < n.deadline && n.isBytes() == bytes {
			return n, "", nil
		}
		if s.release(n) && n.deadline <= now { // release fails if the node has just been replaced
			s.expirations++
		}
	}
}

func (b *Backend) fill(n *node, token string) (filled bool, err error) {
	hash := b.hasher.hash(n.key)
	n.hash, n.key = uint32(hash), strings.Clone(n.key)
	s := b.shard(hash)
	err = s.withRoom(n, func() (full bool, err error) {
		t, err := s.open()
		if err != nil {
			return false, err
		}
		if n.units > b.mostUnits {
			return false, b.tooLarge(n)
		}
		if l := s.leases.byKey[n.key]; l.token != token || l.end <= s.clock.now() {
			return false, nil
		}
		filled = s.add(t, n, hash)
		return !filled, nil
	})
	return filled, err
}

// grant returns the token of a new lease, or "" if a lease of key is held.
func (l *leases) grant(key string, now int64, hold time.Duration) string {
	if now < l.byKey[key].end {
		return ""
	}
	if l.byKey == nil {
		l.byKey = make(map[string]lease)
	}
	if len(l.byKey) >= l.full { // their number has doubled: the cost per lease is constant
		maps.DeleteFunc(l.byKey, func(_ string, held lease) bool { return held.end <= now })
		l.full = max(100, 2*len(l.byKey))
	}
	granted := lease{rand.Text(), now + int64(hold)}
	l.byKey[strings.Clone(key)] = granted
	l.last = max(l.last, granted.end)
	return granted.token
}

// endLease ends the lease of key. When every lease has ended it removes all of them, so
// that writes no longer look for one.
func (s *shard) endLease(key string) {
	delete(s.leases.byKey, key)
	if s.clock.passed(s.leases.last) {
		s.leases = leases{}
	}
}
