package cachetest

import (
	"context"
	"strconv"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

type lease struct {
	token string
	end   time.Time
}

// lease returns the item of key, or a token if nobody holds its lease. The caller
// holds mu.
func (s *Store) lease(key string, hold time.Duration) (found item, ok bool, token string) {
	found, ok = s.find(key)
	if l, held := s.leases[key]; ok || held && time.Now().Before(l.end) {
		return found, ok, ""
	}
	s.serial++
	token = strconv.Itoa(s.serial)
	s.leases[key] = lease{token, time.Now().Add(hold)}
	return found, false, token
}

// Lease returns the value of key, or a token if the caller may load it.
func (s *Store) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	err = s.one(ctx, "lease", key, func() (err error) {
		s.forgetDamaged(key)
		var found item
		found, ok, token = s.lease(key, hold)
		value, ok, err = bytesOf(found, ok)
		return err
	})
	if err != nil {
		return nil, false, "", err
	}
	return value, ok, token, nil
}

// forgetDamaged removes a Go value, which is absent for Lease.
func (s *Store) forgetDamaged(key string) {
	if _, _, err := bytesOf(s.find(key)); err != nil {
		delete(s.items, key)
	}
}

// LeaseValue is Lease for Go values.
func (s *Store) LeaseValue(ctx context.Context, key string, hold time.Duration) (value any, ok bool, token string, err error) {
	err = s.one(ctx, "lease", key, func() (err error) {
		if _, _, err := valueOf(s.find(key)); err != nil {
			delete(s.items, key)
		}
		var found item
		found, ok, token = s.lease(key, hold)
		value = found.value
		return nil
	})
	if err != nil {
		return nil, false, "", err
	}
	return value, ok, token, nil
}

func (s *Store) fill(ctx context.Context, key, token string, value any, ttl time.Duration) (bool, error) {
	return s.store(ctx, "fill", key, value, ttl, func(item, bool) bool {
		l, held := s.leases[key]
		return held && l.token == token && time.Now().Before(l.end)
	})
}

// Fill stores value if token is the lease of key.
func (s *Store) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	return s.fill(ctx, key, token, value, ttl)
}

// FillValue is Fill for Go values.
func (s *Store) FillValue(ctx context.Context, key, token string, value any, ttl time.Duration) (bool, error) {
	return s.fill(ctx, key, token, value, ttl)
}

// Release ends the lease of key if token is that lease.
func (s *Store) Release(ctx context.Context, key, token string) error {
	return s.one(ctx, "release", key, func() error {
		if s.leases[key].token == token {
			delete(s.leases, key)
		}
		return nil
	})
}

var (
	_ driver.Leaser         = (*Store)(nil)
	_ driver.Swapper        = (*Store)(nil)
	_ driver.Counter        = (*Store)(nil)
	_ driver.PrefixClearer  = (*Store)(nil)
	_ driver.TTLer          = (*Store)(nil)
	_ driver.LifeGetter     = (*Store)(nil)
	_ driver.ManyLifeGetter = (*Store)(nil)
	_ driver.Stater         = (*Store)(nil)
	_ driver.Scanner        = (*Store)(nil)
)
